"""What appointments keep of a person: all of it to take along, and what ends with the account."""
