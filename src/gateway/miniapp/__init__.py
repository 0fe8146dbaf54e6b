"""The mini-program inside a chat app: signing in by what the chat platform knows, without a second registration."""
