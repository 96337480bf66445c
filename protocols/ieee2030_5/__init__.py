"""IEEE 2030.5 (2018 and 2023) with CSIP and CSIP-AUS: the resources, their wire form, and both sides of the dialect."""
