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
LINK_SECONDS = 15 * 60
"""Of what a link to withdraw gives; services take an hour at most."""


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
    ttl_seconds: int | None = None,
    seller_id: str | None = None,
    org_id: str | None = None,
    withdrawal_of: str | None = None,
) -> str:
    """A signed token for an account and its roles; or for the withdrawal from one order alone."""
    key = ECKey.import_key(json.loads(key_file(folder).read_text()))
    issued = int(time.time())
    lifetime = LINK_SECONDS if withdrawal_of else LIFETIME_SECONDS
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": sub,
        "roles": list(roles),
        "iat": issued,
        "exp": issued + (lifetime if ttl_seconds is None else ttl_seconds),
    }
    scope = "withdrawal" if withdrawal_of else None
    optional = {
        "seller_id": seller_id,
        "org_id": org_id,
        "scope": scope,
        "order_id": withdrawal_of,
    }
    claims |= {name: value for name, value in optional.items() if value is not None}
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
