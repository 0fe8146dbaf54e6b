"""What `bench wallet-scale` is made of: invented people by the million, databases of several sizes, turns at each."""
