"""A person answers "yes" to an SMS about a booking: they take the offered place, or say that they will come."""
