"""Bookings in people's own calendars: a file for one, a feed for all (RFC 5545)."""
