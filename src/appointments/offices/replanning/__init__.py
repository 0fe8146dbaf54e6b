"""Hours, rules and the calendar change: slots are made to fit, whoever is booked is kept, moved or cancelled."""
