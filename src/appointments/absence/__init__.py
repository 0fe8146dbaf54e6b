"""Bookings nobody came to (爽约): strikes, suspension, appeal."""
