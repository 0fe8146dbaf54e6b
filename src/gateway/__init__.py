"""The roof: the one entrance to everything a city's departments do for its people."""
