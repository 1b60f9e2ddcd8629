"""Descriptors of a face in motion: formulas that turn a clip, or the flow from onset to apex, into numbers."""
