"""E-mail: how a message is written, and the relay (SMTP) that carries it."""
