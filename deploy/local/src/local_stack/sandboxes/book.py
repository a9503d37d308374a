"""What a company is asked in, what it made of it out: once for each idempotency key it remembers.

The payment provider, the carrier and the stock are one of these each. None looks whether there is
something of the same reference already: who asks again with a key that was forgotten gets another.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from local_stack.sandboxes.answers import Answer, answered, refused
from local_stack.sandboxes.faults import Control, Plan

type Name = Annotated[str, Meta(min_length=1, max_length=64)]
type Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class Thing(Struct, frozen=True, kw_only=True):
    """What was made. `reference`: who asked calls it so."""

    id: str
    reference: str
    created_at: datetime

    @property
    def subjects(self) -> tuple[str, ...]:
        """Whose plans it follows."""
        return (self.reference,)


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for."""

    reference: Name

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.reference,)


class Page(Struct, frozen=True, kw_only=True):
    """`next_cursor`: None on the last one."""

    items: Sequence[Thing]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    body: bytes
    made: str
    at: datetime


class Book[W: Wanted, T: Thing](ABC):
    """`plural` and `ending`: what its things, and their end, are called in its paths. `prefix`: of
    their ids, which sort in the order in which they were made.
    """

    plural: str
    ending: str
    prefix: str
    wants: type[W]

    def __init__(self, control: Control, now: Callable[[], datetime]) -> None:
        self.control = control
        self.now = now
        self.things: dict[str, T] = {}
        self._kept: dict[str, Kept] = {}
        self._ids = count(1)
        self._by_reference: dict[str, list[str]] = {}

    @abstractmethod
    def make(self, wanted: W, plan: Plan, thing_id: str) -> T | Answer:
        """What comes of it, or a no that is not remembered."""

    @abstractmethod
    def end(self, thing: T, body: bytes, /) -> T | Answer:
        """Takes it back, or a no; what was taken back is answered the same again."""

    def settle(self) -> None:  # noqa: B027 - most have nothing that is due
        """Brings about all that is due by now."""

    def wanted(self, body: bytes) -> W | None:
        """What is asked for, if it can be read."""
        try:
            return msgspec.json.decode(body, type=self.wants)
        except msgspec.DecodeError:
            return None

    def create(self, body: bytes, key: str) -> Answer:
        """201 with what was made, also if that is a no; the same for the same key."""
        wanted = self.wanted(body)
        if wanted is None:
            return refused(422, "INVALID")
        if not key:
            return refused(400, "KEY_MISSING")
        if (kept := self._remembered(key)) is not None:
            if kept.body != body:
                return refused(422, "KEY_REUSED")
            return answered(self.things[kept.made])
        thing_id = f"{self.prefix}_{next(self._ids):08}"
        plan = self.control.plan_of(*wanted.subjects)
        made = self.make(wanted, plan, thing_id)
        if isinstance(made, Answer):
            return made
        self.things[thing_id] = made
        self._by_reference.setdefault(made.reference, []).append(thing_id)
        if not plan.forget:
            self._kept[key] = Kept(body=body, made=thing_id, at=self.now())
        self.settle()
        return answered(self.things[thing_id], 201)

    def sought(self, query: Mapping[str, str]) -> tuple[str, ...]:
        """Whose plan a question meets."""
        known = self._of_reference(query)
        return known[0].subjects if known else (query.get("reference", ""),)

    def find(self, query: Mapping[str, str]) -> Answer:
        """All that there are of a reference, which may be none."""
        self.settle()
        return answered(Page(items=self._of_reference(query)))

    def _of_reference(self, query: Mapping[str, str]) -> list[T]:
        found = self._by_reference.get(query.get("reference", ""), [])
        return [self.things[each] for each in found]

    def get(self, thing_id: str) -> Answer:
        self.settle()
        thing = self.things.get(thing_id)
        return answered(thing) if thing else refused(404, "NOT_FOUND")

    def take_back(self, thing_id: str, body: bytes) -> Answer:
        self.settle()
        thing = self.things.get(thing_id)
        if thing is None:
            return refused(404, "NOT_FOUND")
        ended = self.end(thing, body)
        if isinstance(ended, Answer):
            return ended
        self.things[thing_id] = ended
        return answered(ended)

    def plan_of(self, thing: T) -> Plan:
        return self.control.plan_of(*thing.subjects)

    def _remembered(self, key: str) -> Kept | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        old = self.now() - kept.at >= timedelta(seconds=self.control.keys.seconds)
        return None if old else kept
