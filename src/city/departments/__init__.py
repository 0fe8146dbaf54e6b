"""Demo departments: each a small real server of its own, joined to the city by the manifest beside it."""
