"""What operators do at the entrance: read the record of acts, rotate keys, take a leaked one out."""
