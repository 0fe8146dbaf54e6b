"""What departments' programs do: prove themselves by keys, send single messages, and ask what became of them."""
