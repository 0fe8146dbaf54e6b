"""How sending does at this moment: what is due, how late it is, and how each provider does as each worker sees it."""
