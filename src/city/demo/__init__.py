"""The demo city as pure data: invented people, departments, kinds, venues, offices; the same on every machine."""
