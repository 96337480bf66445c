"""The error family, split by who must act.

Every error of the product carries a stable `reason` (a snake_case code, written into records and receipts, never
translated) and one `sentence` that tells a person what happened and what to do. Knows no protocol and no device.
"""


class WattsealError(Exception):
    """Root of all errors that this product raises on purpose."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(f"{reason}: {sentence}")
        self.reason = reason
        self.sentence = sentence


class MisuseError(WattsealError):
    """We, or whoever configured us, used something wrongly: mend the code or the configuration."""


class PeerError(WattsealError):
    """The other side broke its protocol: record it, answer with its code, go on."""


class WorldError(WattsealError):
    """Disk, network, clock or device failed: retry, fall back, or tell the operator."""
