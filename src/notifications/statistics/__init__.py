"""How many messages were taken, and what became of them: by day, sender, text and channel."""
