"""The running core: what it knows, what it seals, what it sends, and the one process that holds it together."""
