"""A command's fields and sender in, a refusal or nothing out: the checks that come first.

They come in this order: shape and ranges, existence, role, party. The state is asked later.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from shared_casework import parties
from shared_casework.parties import parties_of
from shared_events.characters import ID, is_id
from shared_events.codes import COUNTRY, CURRENCY, is_country, is_currency
from shared_events.fields import MEDIA_MAX, MINOR_MAX, STARS_MAX
from shared_runtime.decider import (
    Actor,
    Command,
    FieldError,
    HumanRequired,
    InvalidValue,
    Role,
    RoleNotAllowed,
)


class Shape:
    """Collects what is wrong with the fields of a command, so that one answer names all of it."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []

    def require(self, holds: bool, field: str, bound: str) -> None:
        if not holds:
            self._errors.append(FieldError(field=field, bound=bound))

    def id(self, field: str, value: str) -> None:
        self.require(is_id(value), field, ID)

    def ids(self, field: str, values: Sequence[str]) -> None:
        for number, value in enumerate(values):
            self.id(f"{field}[{number}]", value)
        self.require(len(set(values)) == len(values), field, "each one once")

    def text(self, field: str, value: str) -> None:
        """A sealed text: how long it is, only its key could tell."""
        self.require(value != "", field, "not empty")

    def media(self, media: Sequence[str], digests: Sequence[str]) -> None:
        self.require(len(media) <= MEDIA_MAX, "media", f"0..{MEDIA_MAX} files")
        self.require(len(media) == len(digests), "media_sha256", "one for each of the media")

    def minor(self, field: str, value: int) -> None:
        self.require(0 <= value <= MINOR_MAX, field, f"0..{MINOR_MAX}")

    def stars(self, field: str, value: int) -> None:
        self.require(1 <= value <= STARS_MAX, field, f"1..{STARS_MAX}")

    def currency(self, field: str, value: str) -> None:
        self.require(is_currency(value), field, CURRENCY)

    def country(self, field: str, value: str) -> None:
        self.require(is_country(value), field, COUNTRY)

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
    parties.require_party(actor, parties_of(buyer_id=buyer_id, seller_id=seller_id))


def is_party(actor: Actor, *, buyer_id: str, seller_id: str) -> bool:
    """A BUYER must be this buyer, a SELLER a member of this seller; other roles are no parties."""
    return parties.is_party(actor, parties_of(buyer_id=buyer_id, seller_id=seller_id))


def accounts_of(actor: Actor) -> set[str]:
    """All ids that he is known by, whatever role he acts in. A machine's own is no account."""
    return {account.id for account in parties.accounts_of(actor)}


def is_involved(actor: Actor, *, buyer_id: str, seller_id: str) -> bool:
    """Whether he is a party or belongs to one, whatever role he acts in."""
    return parties.is_involved(actor, parties_of(buyer_id=buyer_id, seller_id=seller_id))


def require_human(actor: Actor) -> None:
    if not actor.is_human:
        raise HumanRequired
