"""An organisation asks to verify, an operator lets it, and it keeps its own devices from then on."""
