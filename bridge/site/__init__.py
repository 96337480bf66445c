"""The site file: what an integrator writes, checked whole, as one frozen value."""
