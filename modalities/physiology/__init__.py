"""The physiology channel: heart and skin conductance."""
