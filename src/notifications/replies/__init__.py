"""People write back: what they wrote is kept first, then heard: no more of this, yes, or something for a department."""
