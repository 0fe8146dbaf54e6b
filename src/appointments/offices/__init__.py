"""What is offered where and when, and how a resident finds it."""
