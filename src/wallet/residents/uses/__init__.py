"""A resident looks through the ledger of their certificates' uses, and takes it along."""
