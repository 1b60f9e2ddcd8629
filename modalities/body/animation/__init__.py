"""Animated people with known truth: bodies of any size perform listed gestures; the camera errs as trackers do."""
