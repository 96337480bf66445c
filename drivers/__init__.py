"""The device's words: links, register maps, the gate, the attester, simulators. Knows no utility and no bridge."""
