"""The client of IEEE 2030.5: one device, or an aggregator with many devices. No socket, no clock, no task.

Read it in this order: `exchange` (requests and answers), `config` (who we are), `survey` (what was read), `duty` (what
is owed besides reading), `interfaces` (what some duties can tell), `happenings` (what the deck is told). How it reads:
`hrefs`, `kinds` (what leads where), `poller` (when), `paging`, `redirects`, `reading` (bytes into resources),
`fetching` (one reading from question to end), `tree` (all addresses), `clock`, `contact` (is it there), `surveying`,
and `reader`, which joins them. What follows: `controls` and `picture` (for the event engine), `schedule` (the engine's
place), `responses`, `sets` (the function sets beside DER), `errands` (the duties' requests on their way),
`notifications`. Around it: `state`, `session`, and with a socket `negotiation`, `http` and `shell`.

Theory of operation. The only address known beforehand is that of DeviceCapability; everything else is followed from
link to link and kept by mRID or LFDI, never by address. One poller owns each address that is read: it keeps the
interval the server asked for, pages a list to its end before anything of it is believed, and is the only one that ever
asks for it, whoever else wants to know. What was read is one frozen `Survey`. From it follow three things: pictures for
the event engines, one for each function set, whose states hold the schedule and the Responses due; errands of the
duties (register, put, post, subscribe), which are repeated until the server has them, once each; and what the deck is
told. The state's bytes are on disk before anything is acted upon or answered.
"""
