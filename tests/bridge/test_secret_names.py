"""Secrets are named, never written down (docs/site-file.md: `secret://file|credential/NAME`)."""

from pathlib import Path

import pytest

from wattseal.bridge.site.secret_names import path_of
from wattseal.certs.errors import MisuseError


def test_a_file_lies_below_the_box(tmp_path: Path) -> None:
    assert path_of("secret://file/keys/ven.key", tmp_path, {}) == (tmp_path / "keys" / "ven.key").resolve()


def test_a_credential_lies_where_the_service_manager_says(tmp_path: Path) -> None:
    found = path_of("secret://credential/ven-key", Path("/nowhere"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert found == tmp_path / "ven-key"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hunter2", "secret_name_malformed"),
        ("secret://file/", "secret_name_malformed"),
        ("secret://credential/a/b", "secret_name_malformed"),
        ("secret://vault/x", "secret_name_malformed"),
        ("secret://file/../outside.key", "secret_outside_box"),
        ("secret://credential/x", "credential_missing"),
    ],
)
def test_everything_else_is_refused_with_its_reason(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(MisuseError) as raised:
        path_of(name, tmp_path, {})
    assert raised.value.reason == reason
