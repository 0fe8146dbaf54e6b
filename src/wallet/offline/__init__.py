"""Codes that are checked without network: making them, reading them, and what is uploaded of them later."""
