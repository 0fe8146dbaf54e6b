"""Sessions of people: a signed-in device, its rotating refresh token, and the list of those that ended early."""
