"""Cues: what two streams share that tells how their clocks relate; each gives a `sync.estimate.Estimate`."""
