"""What human coders say of the events: layers over the machine's, and how well they agree."""
