"""Where the files of a box lie. One place, so that whoever makes, runs, audits or backs up a box agrees.

DIR/site.toml              what the integrator writes; no secret in it
DIR/owner/                 root.pem, owner.pem: to be taken away after signing
DIR/box/keys/ROLE.pem      one key for each running role, mode 0600
DIR/box/trust/             root.cbor, mandate-N.cose, manifest.cose, root.hex, history/manifest-NNNN.cose
DIR/box/policy.cedar       the policy whose digest the manifest pins
DIR/state/                 core.db, gateway.db
DIR/run/                   unix sockets, only while it runs
"""

import os
from dataclasses import dataclass
from pathlib import Path

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.keys import Signer, open_signer
from wattseal.certs.manifest import Trust
from wattseal.certs.statement import Role


class BoxError(WorldError):
    """A file of the box is missing or cannot be read."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box by its directory. Knows paths; reads only what is asked for."""

    root: Path

    @property
    def site_file(self) -> Path:
        """The site file."""
        return self.root / "site.toml"

    @property
    def owner(self) -> Path:
        """The owner's keys, as long as they are here."""
        return self.root / "owner"

    @property
    def trust_directory(self) -> Path:
        """Root record, mandates, manifest."""
        return self.root / "box" / "trust"

    @property
    def policy_file(self) -> Path:
        """The policy text."""
        return self.root / "box" / "policy.cedar"

    @property
    def core_database(self) -> Path:
        """Ledger and journal of the core."""
        return self.root / "state" / "core.db"

    @property
    def gateway_database(self) -> Path:
        """The gateway's own database."""
        return self.root / "state" / "gateway.db"

    @property
    def gateway_socket(self) -> Path:
        """Where the gateway listens for sealed statements."""
        return self.root / "run" / "gateway.sock"

    @property
    def local_socket(self) -> Path:
        """The local API of the core."""
        return self.root / "run" / "api.sock"

    def key_file(self, role: Role) -> Path:
        """The key file of a running role."""
        return self.root / "box" / "keys" / f"{role}.pem"

    def signer(self, role: Role) -> Signer:
        """Opens one role's key. Raises `KeyFileError`."""
        return open_signer(f"file:{self.key_file(role)}")

    def make_directories(self) -> None:
        """The directories, closed to others."""
        history = self.trust_directory / "history"
        for directory in (self.root / "box" / "keys", history, self.root / "state", self.root / "run"):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def read(self, path: Path) -> bytes:
        """A file of the box. Raises `BoxError` (`box_file_missing`)."""
        try:
            return path.read_bytes()
        except OSError as error:
            name = path.relative_to(self.root)
            raise BoxError("box_file_missing", f"{name} cannot be read: {error.strerror}. Was the box made?") from error

    def trust(self) -> Trust:
        """Root record, mandates and manifest as they lie in the box."""
        mandates = sorted(self.trust_directory.glob("mandate-*.cose"))
        return Trust(
            self.read(self.trust_directory / "root.cbor"),
            tuple(self.read(path) for path in mandates),
            self.read(self.trust_directory / "manifest.cose"),
        )

    def trusts(self) -> tuple[Trust, ...]:
        """Every manifest that was signed here, oldest first, each with root record and mandates."""
        now = self.trust()
        older = sorted((self.trust_directory / "history").glob("manifest-*.cose"))
        return tuple(Trust(now.root_record, now.mandates, self.read(path)) for path in older)

    def pinned_root(self) -> str:
        """The root digest that this box was made with."""
        return self.read(self.trust_directory / "root.hex").decode().strip()

    def require_owner_gone(self, *, lab: bool) -> None:
        """Raises `MisuseError` (`owner_keys_present`) while the owner's keys lie beside a box that is no lab box."""
        if not lab and any(self.owner.glob("*.pem")):
            raise MisuseError(
                "owner_keys_present",
                f"The owner's keys lie in {self.owner}; take them away before the box runs (or set lab = true).",
            )


def write_durably(path: Path, content: bytes) -> None:
    """Replaces a file so that a power cut leaves either the old or the new one."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
