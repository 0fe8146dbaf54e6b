"""A department sends one text to very many: rows come as a stream, are kept sealed, and are fed to lanes in steps."""
