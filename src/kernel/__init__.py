"""What every package stands on. Knows no feature."""
