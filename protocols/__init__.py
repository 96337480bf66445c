"""The utility's words: both sides of each dialect, without I/O but at one rim. Knows neither devices nor the bridge."""
