"""Texts that departments write: versions, their approval, what they look like, and how they are found."""
