"""Many sessions: finding them, analysing each in a worker process, and never repeating a finished step."""
