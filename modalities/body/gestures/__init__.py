"""Micro-gestures: a recogniser for what geometry decides, and a network that learns the rest from a user's data."""
