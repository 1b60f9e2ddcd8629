"""Readers: one file per format, each lazy; `probe` looks at a file, `open_stream` opens one stream of it."""
