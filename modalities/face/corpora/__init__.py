"""Corpora of expressions: each data set's own folders and coding sheets, read into one table."""
