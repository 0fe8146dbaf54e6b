"""Mandates (授权): giving, registering and ending them, and showing somebody else's certificates under one."""
