"""Places kept for a person for some minutes, until they are confirmed, given back or forgotten."""
