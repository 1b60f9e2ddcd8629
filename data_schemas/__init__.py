"""What things are: times, streams, events, manifests, features and results.

This package knows nothing of files, models or commands; every other package builds on it.
"""
