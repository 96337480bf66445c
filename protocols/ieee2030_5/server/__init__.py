"""An IEEE 2030.5 server with the profiles of CSIP and CSIP-AUS: a core over frozen values, its shell, its admin door.

`server.respond` is the core: a request, who asks, and the time go in; the next world and an answer come out. The tree
of resources is a table (`routes`), with a guard on every row, so that what nobody may see is decided in one place. The
shell does sockets, files and clocks; `mischief` spoils good answers on the way out and is not known to the core.
"""
