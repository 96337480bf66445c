"""The client of IEEE 2030.5: one device, or an aggregator with many devices. No socket, no clock, no task.

Read it in this order: `exchange` (requests and answers), `config` (who we are), `survey` (what was read), `duty` (what
is owed besides reading), `happenings` (what the deck is told), then the machinery that each docstring names.

Theory of operation. The only address known beforehand is that of DeviceCapability; everything else is followed from
link to link and kept by mRID or LFDI, never by address. One poller owns each address that is read: it keeps the
interval the server asked for, pages a list to its end before anything of it is believed, and is the only one that ever
asks for it, whoever else wants to know. What was read is one frozen `Survey`. From it follow three things: pictures for
the event engine, whose state holds the schedule and the Responses due; errands of the duties (register, put, post,
subscribe), which are repeated until the server has them, once each; and what the deck is told. The state's bytes are on
disk before anything is acted upon or answered.
"""
