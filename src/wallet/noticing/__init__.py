"""People are told of their certificates unasked: that one is about to end and, if they chose so, that one was shown."""
