"""What the channels say together."""
