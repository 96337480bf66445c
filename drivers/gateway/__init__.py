"""The gateway's own process: executes what the gate let through, reads back, attests, and keeps what it did."""
