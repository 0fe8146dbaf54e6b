"""What people want no more of."""
