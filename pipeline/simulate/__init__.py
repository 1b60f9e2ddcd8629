"""Sessions with known truth, at signal level or rendered."""
