"""The TLS suites of OpenADR 2.0b, in OpenSSL's names. Contexts are made from them in certs."""

from typing import Final

MANDATED_CIPHERS: Final = "ECDHE-ECDSA-AES128-SHA256:AES128-SHA256"
"""What the profile mandates: a VTN takes both, a VEN at least one. Python's default list lacks the second."""

OPENADR_CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:" + MANDATED_CIPHERS
)
"""What our ends offer: authenticated encryption with forward secrecy first, then the mandated two."""
