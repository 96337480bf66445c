"""The root of all verbs of the admin door."""

import msgspec


class Verb(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="verb"):
    """One request; its tag is the verb."""
