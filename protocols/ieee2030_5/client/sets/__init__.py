"""The function sets beside DER: load control, flow reservations, prices, texts.

Each has an engine of its own and obeys the engine's one set of rules; what differs is here: where a set is read
(`reading`), what its engine is told (`inputs`), how its events are answered (`answers`), and how all engines of a
session act as one (`event_sets`).
"""
