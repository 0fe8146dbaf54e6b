"""Who waits for a place that comes free (候补)."""
