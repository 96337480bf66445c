"""The device's words: links, register maps, the gate, the attester, simulators. Knows neither utilities nor the bridge."""
