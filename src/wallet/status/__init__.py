"""Status lists: whether a certificate is good, told to whoever has its index, without telling whose it is."""
