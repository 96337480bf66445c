"""The VEN of OpenADR 2.0b: a session without I/O, and the loop that drives it over HTTP."""
