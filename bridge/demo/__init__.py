"""The demonstration: the whole story on one machine, with a utility, two devices and three attacks."""
