"""Names of secrets: the site file says where a secret lies, never what it is.

secret://file/PATH          a file below the box's directory
secret://credential/NAME    a credential that the service manager hands to the process (systemd LoadCredential)
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wattseal.certs.errors import MisuseError

FORM: Final = re.compile(r"secret://(file/[A-Za-z0-9._/-]+|credential/[A-Za-z0-9._-]+)")
MEND: Final = "The site file holds no secret; write secret://file/PATH or secret://credential/NAME."
_FILE: Final = "secret://file/"
_CREDENTIAL: Final = "secret://credential/"
_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"


def path_of(name: str, box: Path, environment: Mapping[str, str]) -> Path:
    """Where the secret lies. Raises `MisuseError`: secret_name_malformed, secret_outside_box or credential_missing."""
    if not FORM.fullmatch(name):
        raise MisuseError("secret_name_malformed", f"{name!r} names no secret. {MEND}")
    if name.startswith(_CREDENTIAL):
        directory = environment.get(_CREDENTIALS)
        if directory is None:
            raise MisuseError(
                "credential_missing", f"{name} needs a service manager that hands credentials over (LoadCredential)."
            )
        return Path(directory) / name.removeprefix(_CREDENTIAL)
    path = (box / name.removeprefix(_FILE)).resolve()
    if not path.is_relative_to(box.resolve()):
        raise MisuseError("secret_outside_box", f"{name} leads out of the box; keep its files below {box}.")
    return path
