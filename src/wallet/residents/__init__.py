"""What residents do: look at their certificates, show them, answer what a venue asks, see who looked."""
