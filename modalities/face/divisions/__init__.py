"""Divisions of the face into regions, for descriptors that are taken region by region."""
