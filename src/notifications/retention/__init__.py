"""What a message said, and to whom, is forgotten when its time is over; how it ended is not."""
