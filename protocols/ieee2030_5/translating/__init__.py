"""From wire values of modes to wishes, one file for each group of modes. `translate.py` above puts events together.

Read in this order: `meaning` (what a reader gives), `numbers` (multipliers and percents), `power`, `reactive`,
`curves`, `service` (connection, ramps, return to service), `table` (mode -> reader). Knows wire types and a device's
ratings, no schedule, no server and no device's registers.
"""
