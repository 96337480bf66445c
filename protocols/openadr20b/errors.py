"""What a receiver of 2.0b messages throws: why a message was refused, and what the answer to its sender needs."""

from wattseal.certs.errors import PeerError
from wattseal.protocols import xml_document
from wattseal.protocols.openadr20b.vocabulary import ResponseCode


class XmlRefusedError(xml_document.XmlRefusedError):
    """The bytes are no XML document that we read; nothing of them could be understood.

    `response_code` is the code to send: 454 for what is no XML, 459 for what breaks a limit or a ban. `request_id` and
    `ven_id` are there so that both errors answer alike; here they are always None.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(reason, sentence)
        malformed = reason in {"malformed_xml", "encoding"}
        self.response_code = ResponseCode.INVALID_DATA if malformed else ResponseCode.COMPLIANCE_ERROR
        self.request_id: str | None = None
        self.ven_id: str | None = None


class SchemaError(PeerError):
    """The document is no valid message of 2.0b. `reason` is ``schema_violation``.

    `path` names the element (``/oadrPayload/oadrSignedObject/oadrPoll/venID``). `response_code` is 454 for a message
    that breaks the schema and 459 for an envelope that does. `request_id` and `ven_id` are what could be read of them.
    """

    def __init__(
        self, path: str, sentence: str, response_code: ResponseCode, request_id: str | None, ven_id: str | None
    ) -> None:
        super().__init__("schema_violation", f"{path}: {sentence}")
        self.path = path
        self.response_code = response_code
        self.request_id = request_id
        self.ven_id = ven_id
