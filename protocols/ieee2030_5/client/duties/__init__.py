"""What a client owes its server besides reading: to register, to tell of its devices, to meter, to log, to subscribe.

Each file is one duty (`client/duty.py`): it looks at the survey and at what the deck handed in, and says which request
is due. None of them sends, sleeps or reads a clock. What must outlive a restart is a small versioned value; whoever
loses it is made safe by reading the server first, never by sending twice.

`Registration` stands first: it decides which devices are served, and with which server nothing goes on. The others are
given its `may_serve`, and owe nothing for a device that it refuses.
"""
