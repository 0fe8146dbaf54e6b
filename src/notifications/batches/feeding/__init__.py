"""Rows become messages, a few at a time, so that a batch can be paused or cancelled at once and nobody's code waits."""
