"""The raw path: the same steps by hand with bare libraries, nothing of ours in between.

    lxml parse and extract, verify one ECDSA signature, look the permission up, sign one command, the very Modbus
    transactions that the gateway makes (same count, kinds and registers, by pymodbus, to the same device), one durable
    SQLite commit, the answer's bytes

It proves nothing to anybody and survives nothing; it is the floor that our figure is a multiple of.
"""

import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic_ns
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree
from pymodbus.client import AsyncModbusTcpClient

from wattseal.bridge.bench.stage import MOST_WATTS, RESOURCE
from wattseal.certs.errors import WorldError

_ALGORITHM: Final = ec.ECDSA(hashes.SHA256())
_NAMESPACES: Final = {
    "o": "http://openadr.org/oadr-2.0b/2012/07",
    "ei": "http://docs.oasis-open.org/ns/energyinterop/201110",
    "pyld": "http://docs.oasis-open.org/ns/energyinterop/201110/payloads",
    "xcal": "urn:ietf:params:xml:ns:icalendar-2.0",
}
_TEXTS: Final = {
    "request": ".//pyld:requestID",
    "event": ".//ei:eventID",
    "version": ".//ei:modificationNumber",
    "status": ".//ei:eventStatus",
    "start": ".//xcal:date-time",
    "duration": ".//xcal:duration/xcal:duration",
    "watts": ".//ei:payloadFloat/ei:value",
    "resource": ".//ei:resourceID",
}
_ANSWER: Final = (
    '<?xml version="1.0"?><oadrPayload xmlns="http://openadr.org/oadr-2.0b/2012/07"><oadrSignedObject>'
    "<oadrCreatedEvent><requestID>{request}</requestID><eventID>{event}</eventID>"
    "<modificationNumber>{version}</modificationNumber><optType>optIn</optType></oadrCreatedEvent>"
    "</oadrSignedObject></oadrPayload>"
)


@dataclass(frozen=True, slots=True)
class Transaction:
    """One Modbus transaction: a read of `count` registers, or (with `words`) one function 16 frame."""

    unit: int
    address: int
    count: int
    words: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RawPassage:
    """Nanoseconds by step."""

    steps: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.steps.values())


class RawPath:
    """One connection, one database, two keys, one permission."""

    def __init__(
        self, client: AsyncModbusTcpClient, database: sqlite3.Connection, transactions: Sequence[Transaction]
    ) -> None:
        self._client = client
        self._database = database
        self._transactions = tuple(transactions)
        self._parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        self._utility = ec.generate_private_key(ec.SECP256R1())
        self._utility_public = self._utility.public_key()
        self._issuer = ec.generate_private_key(ec.SECP256R1())
        self._permitted = {RESOURCE: (-MOST_WATTS, MOST_WATTS)}
        self._number = 0

    def signed(self, raw: bytes) -> bytes:
        """The utility's signature over a message; made before the time is taken."""
        return self._utility.sign(raw, _ALGORITHM)

    async def event(self, raw: bytes, signature: bytes) -> RawPassage:
        """One event all the way. Raises `WorldError` (`bench_raw_failed`) where the device does not take it."""
        at = [monotonic_ns()]
        tree = etree.fromstring(raw, self._parser)
        found = {name: tree.findtext(path, namespaces=_NAMESPACES) or "" for name, path in _TEXTS.items()}
        at.append(monotonic_ns())
        self._utility_public.verify(signature, raw, _ALGORITHM)
        at.append(monotonic_ns())
        command, sealed = self._command(raw, found)
        at.append(monotonic_ns())
        await self._device()
        at.append(monotonic_ns())
        self._database.execute("INSERT INTO log (raw, command, signature) VALUES (?, ?, ?)", (raw, command, sealed))
        at.append(monotonic_ns())
        _ANSWER.format(**found).encode()
        at.append(monotonic_ns())
        names = ("parse and extract", "verify", "policy and sign", "device transactions", "commit", "answer")
        return RawPassage({name: end - begin for name, begin, end in zip(names, at, at[1:], strict=False)})

    def _command(self, raw: bytes, found: Mapping[str, str]) -> tuple[bytes, bytes]:
        least, most = self._permitted[found["resource"]]
        watts = float(found["watts"])
        if not least <= watts <= most:
            raise WorldError("bench_raw_failed", "The policy does not permit the bench's own event.")
        self._number += 1
        body = {
            "sequence": self._number,
            "device": found["resource"],
            "watts": watts,
            "start": found["start"],
            "seconds": found["duration"],
            "cause": hashlib.sha256(raw).hexdigest(),
        }
        command = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        return command, self._issuer.sign(command, _ALGORITHM)

    async def _device(self) -> None:
        client = self._client
        for one in self._transactions:
            if one.words:
                answer = await client.write_registers(one.address, list(one.words), device_id=one.unit)
            else:
                answer = await client.read_holding_registers(one.address, count=one.count, device_id=one.unit)
            if answer.isError():
                raise WorldError("bench_raw_failed", "The simulated device refused one of the raw transactions.")


@asynccontextmanager
async def raw_path(directory: Path, port: int, transactions: Sequence[Transaction]) -> AsyncIterator[RawPath]:
    """Connects and opens; the database lies beside ours, on the same disk."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    if not await client.connect():
        raise WorldError("bench_raw_failed", "The simulated device does not take a second connection.")
    database = sqlite3.connect(directory / "raw.sqlite", isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE log (number INTEGER PRIMARY KEY, raw BLOB, command BLOB, signature BLOB)")
        yield RawPath(client, database, transactions)
    finally:
        database.close()
        client.close()
