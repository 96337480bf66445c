"""Parts of the path alone, without I/O where the part has none: microseconds each, the median of some rounds."""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import monotonic_ns
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from wattseal.certs import cbor, cose, ledger, statement
from wattseal.certs.keys import FileSigner
from wattseal.certs.ledger import LEDGER
from wattseal.certs.statement import Header, Kind, Statement
from wattseal.certs.storage import Store
from wattseal.protocols.openadr20b.codec import decode

_ROUNDS: Final = 7
_LEDGER_GROUP: Final = 16


def measure(message: bytes, directory: Path, *, quick: bool) -> dict[str, float]:
    """Microseconds by name. `message` is an oadrDistributeEvent."""
    times = 40 if quick else 200
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    signer = FileSigner(ec.generate_private_key(ec.SECP256R1()))
    said = _sealed(signer, 0)
    return {
        "lxml parse of the message": _timed(lambda: etree.fromstring(message, parser), times),
        "2.0b codec decode of the message": _timed(lambda: decode(message), times),
        "seal one statement": _timed(lambda: _sealed(signer, 1), times),
        "unseal one statement, signature and form": _timed(lambda: _unsealed(said, signer), times),
        **_ledger(signer, directory, times // 10),
    }


def _timed(work: Callable[[], object], times: int) -> float:
    rounds = []
    for _ in range(_ROUNDS):
        begin = monotonic_ns()
        for _ in range(times):
            work()
        rounds.append((monotonic_ns() - begin) / times / 1000)
    return median(rounds)


def _sealed(signer: FileSigner, number: int) -> Statement:
    header = Header(Kind.COMMAND, "bench", "device:battery", 1_800_000_000, parents=(bytes(32),))
    return statement.seal(signer, header, cbor.encode({1: number, 2: bytes(120), 3: "set_power", 4: 300}))


def _unsealed(said: Statement, signer: FileSigner) -> Statement:
    envelope = cose.take_apart(said.raw)
    envelope.verify(signer.public)
    return statement.read(envelope)


def _ledger(signer: FileSigner, directory: Path, times: int) -> dict[str, float]:
    store = Store.open(directory / "parts.sqlite", (LEDGER,))
    rows = iter([_sealed(signer, number).raw for number in range(_ROUNDS * times * (_LEDGER_GROUP + 1))])
    try:
        single = _timed(lambda: _append(store, [next(rows)]), times)
        grouped = _timed(lambda: _append(store, [next(rows) for _ in range(_LEDGER_GROUP)]), times)
    finally:
        store.close()
    return {
        "ledger append, durable, one by one": single,
        f"ledger append, durable, {_LEDGER_GROUP} at a time, each": grouped / _LEDGER_GROUP,
    }


def _append(store: Store, raws: list[bytes]) -> None:
    store.commit_now(lambda db: ledger.append_all(db, raws))
