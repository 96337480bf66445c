"""Python's cycle collector, set for a process that stays small and must answer quickly. Knows nothing else.

With the defaults each message from a utility sets it going several times, over everything that the libraries hold.
Values here are frozen and hold no cycles, so there is next to nothing for it to find.
"""

import gc
from typing import Final

_NEW_OBJECTS: Final = 20_000
_ROUNDS: Final = 20


def collect_rarely() -> None:
    """To be called once, when the process is ready: what stands then is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _ROUNDS, _ROUNDS)
