"""The body channel: pose, hands, movement."""
