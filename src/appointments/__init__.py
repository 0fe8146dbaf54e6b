"""Calendars, slots, bookings and what happens at the desk."""
