"""Subscribe messages (订阅消息) of the mini-program: which texts go that way, and the platform that carries them."""
