"""The deck between the two banks: events become orders, readings become reports. Knows both banks, not the lab."""
