"""Who carries a message, and what is asked before anything goes out."""
