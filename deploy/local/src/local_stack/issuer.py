"""A folder in, a token issuer for this machine out: an ES256 key, its public half, tokens."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "https://issuer.local"
AUDIENCE = "aftersales"
LIFETIME_SECONDS = 12 * 3600


def key_file(folder: Path) -> Path:
    return folder / "issuer.json"


def jwks_file(folder: Path) -> Path:
    return folder / "jwks.json"


def ensure_key(folder: Path) -> None:
    """Makes the key pair where there is none; the public half, which services read, comes last."""
    if jwks_file(folder).exists():
        return
    key = ECKey.generate_key(
        "P-256", {"use": "sig", "alg": "ES256", "kid": f"local-{time.time_ns()}"}
    )
    private = key_file(folder)
    private.unlink(missing_ok=True)
    private.touch(mode=0o600)
    private.write_text(json.dumps(key.as_dict(private=True)))
    public = private.with_suffix(".public")
    public.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    public.rename(jwks_file(folder))


def mint(
    folder: Path,
    *,
    sub: str,
    roles: Iterable[str],
    ttl_seconds: int = LIFETIME_SECONDS,
    seller_id: str | None = None,
    org_id: str | None = None,
) -> str:
    """A signed token for an account and its roles."""
    key = ECKey.import_key(json.loads(key_file(folder).read_text()))
    issued = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": sub,
        "roles": list(roles),
        "iat": issued,
        "exp": issued + ttl_seconds,
    }
    optional = {"seller_id": seller_id, "org_id": org_id}
    claims |= {name: value for name, value in optional.items() if value is not None}
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
