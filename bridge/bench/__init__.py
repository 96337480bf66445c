"""The bench: how long one event takes from a utility's bytes to a sealed receipt, beside the same steps by hand."""
