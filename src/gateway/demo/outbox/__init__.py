"""What the demo shows instead of sending it, and people writing back to it."""
