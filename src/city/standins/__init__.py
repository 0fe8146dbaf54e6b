"""The outside world of a demo city: a chat platform and a population registry that announce themselves as stand-ins."""
