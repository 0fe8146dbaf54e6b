"""Those who work for the city sign in by phone, as residents do, for a shift."""
