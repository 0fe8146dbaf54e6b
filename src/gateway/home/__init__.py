"""The first page: what this is, who can sign in, and how each part is."""
