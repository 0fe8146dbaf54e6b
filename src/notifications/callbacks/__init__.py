"""Departments are called back: what became of their messages, told to their own servers, signed, until it is heard."""
