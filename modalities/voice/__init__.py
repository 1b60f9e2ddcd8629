"""The voice channel: voice activity, pitch, intensity, spectrum, pauses."""
