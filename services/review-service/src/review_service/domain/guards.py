"""A command's fields and sender in, a refusal or nothing out: the checks that come first.

They come in this order: shape and ranges, existence, role, party. The state is asked later.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from shared_runtime.decider import (
    Actor,
    Command,
    FieldError,
    InvalidValue,
    NotAParty,
    Role,
    RoleNotAllowed,
)

ID_LENGTH_MAX = 64
STARS_MAX = 5
# The greatest integer that every JSON reader keeps exact.
MINOR_MAX = 2**53 - 1


class Shape:
    """Collects what is wrong with the fields of a command, so that one answer names all of it."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []

    def require(self, holds: bool, field: str, bound: str) -> None:
        if not holds:
            self._errors.append(FieldError(field=field, bound=bound))

    def id(self, field: str, value: str) -> None:
        fits = 1 <= len(value) <= ID_LENGTH_MAX and value.isprintable()
        self.require(fits, field, f"1..{ID_LENGTH_MAX} printable characters")

    def minor(self, field: str, value: int) -> None:
        self.require(0 <= value <= MINOR_MAX, field, f"0..{MINOR_MAX}")

    def stars(self, field: str, value: int) -> None:
        self.require(1 <= value <= STARS_MAX, field, f"1..{STARS_MAX}")

    def capitals(self, field: str, value: str, length: int) -> None:
        fits = len(value) == length and value.isascii() and value.isalpha() and value.isupper()
        self.require(fits, field, f"{length} capital letters")

    def instant(self, field: str, value: datetime | None) -> None:
        self.require(value is None or is_aware(value), field, "an instant with its offset")

    def check(self) -> None:
        """Raises `InvalidValue` with every error so far."""
        if self._errors:
            raise InvalidValue(errors=self._errors)


def is_aware(instant: datetime) -> bool:
    return instant.utcoffset() is not None


def utc(instant: datetime) -> datetime:
    """The same instant as events have it, whatever offset it was told with."""
    return instant.astimezone(UTC)


def require_role(command: Command, allowed: Iterable[Role]) -> None:
    roles = list(allowed)
    if command.actor.acts_as not in roles:
        raise RoleNotAllowed(allowed_roles=roles)


def require_party(actor: Actor, *, buyer_id: str, seller_id: str) -> None:
    """A BUYER must be this buyer, a SELLER a member of this seller; other roles are no parties.

    An importer speaks for whoever the party was: the history that he brings names it.
    """
    if actor.role == "BUYER" and actor.id != buyer_id:
        raise NotAParty
    if actor.role == "SELLER" and seller_id not in (actor.id, actor.org_id):
        raise NotAParty
