"""Department apps behind the one entrance: a manifest joins them, calls reach them, their faults stay theirs."""
