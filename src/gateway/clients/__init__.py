"""Machines prove themselves by a key of their own: a venue's device, a department's system."""
