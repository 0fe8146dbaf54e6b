"""The log of the use ledger: what nobody can remove or alter without being found out by whoever kept a checkpoint."""
