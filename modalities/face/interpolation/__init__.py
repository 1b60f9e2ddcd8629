"""Clips of any length: linear interpolation, the temporal interpolation model, and single pictures of a whole clip."""
