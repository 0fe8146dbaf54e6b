"""A department tells a resident what has become of a case of theirs: once, whole, and what changed if it must again."""
