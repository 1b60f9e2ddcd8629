"""Measurements: quality against truth (`gates`) and speed (`speed`)."""
