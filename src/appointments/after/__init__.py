"""After a visit: what it came to, and how it was."""
