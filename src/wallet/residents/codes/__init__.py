"""Codes as they are answered with: as JSON, as their text alone, or drawn for those who cannot draw."""
