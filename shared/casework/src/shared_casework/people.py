"""What the reputation of people tells other services in, rows of it out: measures and erasures.

A service keeps the measures that it acts on. A person is an account with its kind: `buyer:B-1`.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace
from shared_events.envelope import Recorded
from shared_events.fields import Party
from shared_events.reputation import Measure, MeasureApplied, MeasureLifted, SubjectErased
from shared_runtime.keys import KeyStore, key_to_tell
from shared_runtime.sealing import PersonKey, person


class Parties(Protocol):
    """Something between a buyer and a seller."""

    @property
    def buyer_id(self) -> str: ...
    @property
    def seller_id(self) -> str: ...


def person_on(side: Party, of: Parties) -> str:
    """Whose key seals what a party writes, or what it is told."""
    return person("buyer", of.buyer_id) if side == "BUYER" else person("seller", of.seller_id)


async def key_between(
    of: Parties, side: Party | None, sealed_for: str, keys: KeyStore
) -> PersonKey | None:
    """What seals a text in a matter between two: a party (`side`) writes with his own key; staff
    write to each party, with that party's.
    """
    if side is not None:
        own = await keys.key_of(person_on(side, of))
        return own if sealed_for == "WRITER" else None
    match sealed_for:
        case "BUYER" | "SELLER":
            return await key_to_tell(keys, person_on(sealed_for, of))
        case _:
            return None


class InForce(Struct, frozen=True, kw_only=True):
    """A measure on an account, from when until when. `given_back`: it should never have been; one
    that merely ends or is lifted leaves what it did as it is.
    """

    measure_id: str
    person: str
    starts_at: datetime
    ends_at: datetime | None = None
    lifted_at: datetime | None = None
    given_back: bool = False

    def is_in_force(self, at: datetime) -> bool:
        return self.starts_at <= at and not any(
            end is not None and end <= at for end in (self.ends_at, self.lifted_at)
        )

    def takes(self, done_at: datetime) -> bool:
        """Whether what was done then is lost by it: before it, or while it was in force."""
        return not self.given_back and (done_at < self.starts_at or self.is_in_force(done_at))


class Lifted(Struct, frozen=True, kw_only=True):
    """A measure that was lifted, with the instant, which the event itself does not tell."""

    measure_id: str
    by_reversal: bool
    at: datetime


def in_force(row: InForce | None, event: MeasureApplied | Lifted) -> InForce | None:
    match event:
        case MeasureApplied():
            return InForce(
                measure_id=event.measure_id,
                person=person_of(event),
                starts_at=event.starts_at,
                ends_at=event.ends_at,
            )
        case Lifted():
            return row and replace(row, lifted_at=event.at, given_back=event.by_reversal)


def told_of(
    measure: Measure, batch: Iterable[Recorded[Any]]
) -> Iterator[Recorded[MeasureApplied | Lifted]]:
    """What a batch tells of one kind of measure, dated."""
    for recorded in batch:
        match recorded.event:
            case MeasureApplied(measure=kind) if kind == measure:
                yield recorded
            case MeasureLifted(measure=kind) as lifted if kind == measure:
                dated = Lifted(
                    measure_id=lifted.measure_id,
                    by_reversal=lifted.reason == "REVERSED",
                    at=recorded.time,
                )
                yield replace(recorded, event=dated)
            case _:
                pass


class Erased(Struct, frozen=True, kw_only=True):
    person: str
    erased_at: datetime


def erased(row: Erased | None, event: SubjectErased) -> Erased:
    return row or Erased(person=person_of(event), erased_at=event.erased_at)


def person_of(event: MeasureApplied | MeasureLifted | SubjectErased) -> str:
    """Whose account the event is about."""
    if event.account_kind == "BUYER":
        assert event.buyer_id is not None
        return person("buyer", event.buyer_id)
    assert event.seller_id is not None
    return person("seller", event.seller_id)
