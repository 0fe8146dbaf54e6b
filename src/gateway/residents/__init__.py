"""Residents sign in by phone and are real-name checked; staff sign in the same way. Sessions of both."""
