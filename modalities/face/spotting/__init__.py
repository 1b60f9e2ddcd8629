"""Spotters: find onset, apex and offset of micro- and macro-expressions."""
