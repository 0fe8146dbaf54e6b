"""The gate before a rush: a waiting room that filters and never decides."""
