"""What only a demo city has: its cast, and short cuts that a real city must never open."""
