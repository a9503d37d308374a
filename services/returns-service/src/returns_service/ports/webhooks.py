"""A webhook in, whether it is from whom it says it is, and from now, out."""

from base64 import b64decode
from collections.abc import Mapping

from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

SECRET_BYTES_MIN = 24
"""The least that Standard Webhooks allows."""


class NotTheirs(Exception):  # noqa: N818 - it answers a question
    """Unsigned, wrongly signed, or signed too long ago or too far ahead."""


def verify(secret: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Raises `NotTheirs`. The time of a signature is the machine's, as that of a token."""
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as wrong:  # the latter of what is no signature
        raise NotTheirs from wrong


def check_secret(secret: str) -> None:
    """Raises ValueError if it is none, or so short that it could be guessed."""
    told = secret.removeprefix("whsec_").rstrip("=")
    try:
        key = b64decode(told + "=" * (-len(told) % 4), validate=True)
    except ValueError:
        raise ValueError("no secret of Standard Webhooks: whsec_ and base64") from None
    if len(key) < SECRET_BYTES_MIN:
        raise ValueError(f"a secret has {SECRET_BYTES_MIN} bytes or more")
