"""The pure event engine of IEEE 2030.5: pictures and the clock in; values in force and Responses due out.

It must not know the wire, hrefs, HTTP or devices' registers: its inputs are values of `inputs.py`, its modes are names
and its values are bytes that it only carries. Read it in this order: `inputs` (what comes in), `state` (what must be on
disk before anything acts), `draws`, `schedule` (effective times, rank, overlap), `speech` (Responses), `course` (one
device's events through one instant), `admission`, `intake` (pictures into knowledge), `pruning`, `force` (values in
force), `engine` (`step`, `settle`), `forecast` (what will be in force).

Theory of operation. Every managed device has a ledger of records, one for each event it was told of. Devices with the
same standing and the same ledger form one cohort, which is judged once; random draws are part of a record, so they part
a cohort into its devices. A record is open until it is closed, once and for good:

    first sight   faulty -> closed, 253     no mode applies -> closed, 252     already over -> closed, 254
                  another device category -> no record, no word                else open, 1
    open          effective start, still holding a mode -> started, 2
                  loses its last mode at a winner's effective start -> closed, 7 (same programme) or 14 (another)
                  cancelled, or (2023) vanished -> closed, 6; cancelled with randomisation, started -> 6 when it stops
                  effective end, started -> closed, 3;    not started (the box was down, or the clock jumped) -> no word
                  device disabled, deleted or moved away: nothing starts, and an end or a cancel closes without a word

What is in force follows from effective times and modes lost, never from how often the engine was asked, so a restart
or a missed wake-up cannot change it. Times inside are seconds of the utility's clock; `now` and `wake_at` are ours.

The 2023 edition's status 15 (resumed) is not given: a superseded event stays superseded under both rule sets. Events
of one engine run on one server's clock.
"""
