"""What ends without an answer is closed, and what ended badly is shown to operators: nothing is left half-way."""
