"""Who may be analysed, what was done with whose data, and how a person is withdrawn."""
