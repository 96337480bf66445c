"""What a document of the other side may be refused for, apart from being no XML and from breaking its type.

The whole family: XmlRefusedError (malformed_xml, oversized, dtd_forbidden, too_deep, too_many_nodes, encoding),
BindingError (schema_violation), UnknownResourceError and UnexpectedResourceError. The last three have a `path`.
"""

from wattseal.certs.errors import PeerError

_LONGEST_NAME = 120


class UnknownResourceError(PeerError):
    """The root of a document is no resource that is known here."""

    def __init__(self, path: str, tag: str) -> None:
        super().__init__("unknown_resource", f"{path}: {tag[:_LONGEST_NAME]} is no resource of IEEE 2030.5 known here.")
        self.path = path


class UnexpectedResourceError(PeerError):
    """A resource, but not the one that was asked for."""

    def __init__(self, path: str, found: str, wanted: str) -> None:
        super().__init__("unexpected_resource", f"{path}: a {found} stands where a {wanted} was expected.")
        self.path = path
