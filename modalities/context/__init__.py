"""The context channel: questions, stimuli, conditions as typed columns of time."""
