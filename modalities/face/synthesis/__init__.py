"""Synthesis: facial movements of known size, side and time, planted into any face video or photograph."""
