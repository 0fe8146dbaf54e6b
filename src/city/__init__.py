"""Brings a city up: the `suishenban` command, private servers, the supervisor, and a demo city to show."""
