"""Certificates: issued by departments, shown by residents, verified by venues, every look written down."""
