"""The lab: black-box suites over the wire, for any product. It must never import the bridge."""
