"""Who carries the city's messages to people: read from the file that SUISHENBAN_CARRIERS names, and wired."""
