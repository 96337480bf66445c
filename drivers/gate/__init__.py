"""The gate: lets nothing unsigned in. What it decides is pure; what it writes and remembers is done by its process."""
