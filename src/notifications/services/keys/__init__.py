"""Keys by which departments' programs prove themselves, and whom keys of the team may send to."""
