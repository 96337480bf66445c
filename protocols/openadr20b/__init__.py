"""OpenADR 2.0b: messages, codec and sessions of both sides. Knows nothing of devices or of the bridge."""
