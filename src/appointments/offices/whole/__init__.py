"""What holds for every service of an office at once."""
