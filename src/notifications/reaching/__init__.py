"""A person says how they are reached: an address they confirm, channels they agree to, grants they give by a tap."""
