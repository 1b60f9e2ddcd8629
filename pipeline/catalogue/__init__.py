"""The catalogue of a study: every timeline and event of a batch in one place, asked by SQL."""
