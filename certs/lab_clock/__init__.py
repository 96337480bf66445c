"""A clock that a lab moves by hand, shared by every process that takes part over one unix socket.

Hours of a box, its devices and its utility run in seconds, each timer at its own moment and in its own order. Only for
labs: who takes such a clock must say so in what it signs. Knows no box, no device and no utility.
"""
