"""A secret of this box and one utility, drawn once: random offsets must be the same after a restart."""

import secrets
from typing import Final

from wattseal.bridge import journal
from wattseal.certs.storage import Store

_BITS: Final = 62


def seed_of(store: Store, utility: str) -> str:
    """The seed as hexadecimal text, drawn and kept at first need."""
    name = f"seed:{utility}"
    known = store.read_now(journal.recall).marks.get(name)
    if known is None:
        known = secrets.randbits(_BITS)
        drawn = known
        store.commit_now(lambda db: journal.keep_mark(db, name, drawn))
    return f"{known:x}"
