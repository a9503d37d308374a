"""A folder in, the key-encryption key of the services on this machine out."""

import base64
import secrets
import time
from pathlib import Path

KEY_BYTES = 32


def kek_file(folder: Path) -> Path:
    return folder / "kek"


def ensure_kek(folder: Path) -> None:
    """Makes the key where there is none: `<id>:<base64>`, as the services are told it. The file is
    the owner's alone, and there when it is whole.
    """
    if kek_file(folder).exists():
        return
    secret = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    unfinished = folder / ".kek"
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(f"local-{time.time_ns()}:{secret}\n")
    unfinished.rename(kek_file(folder))
