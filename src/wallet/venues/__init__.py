"""What venues do: verify a shown code, ask for a certificate."""
