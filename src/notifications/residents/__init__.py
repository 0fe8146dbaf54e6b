"""What a resident does: read what was said to them, and choose how to be reached."""
