"""The face channel: landmarks, registration, motion, action units, spotting."""
