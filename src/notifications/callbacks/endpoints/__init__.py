"""A department says where it is called back, what about, and by which secrets it knows us."""
