"""What becomes of each delivery: offered to a provider, and what came of it recorded."""
