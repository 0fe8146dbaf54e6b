"""What the city owes people by message: owed with the fact, sent once, accounted for until its end."""
