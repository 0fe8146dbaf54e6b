"""SMS over SMPP 3.4, by a client of our own: nothing is said to be received before it is stored."""
