"""A seed in; what its clients do, and what goes wrong meanwhile, out.

The same seed makes the same plan, and fewer steps of it are its first ones.
"""

import random
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from local_stack.databases import SERVICES

STEPS = 14
BULK_MAX = 6
FAULTS = 0.15
"""So many of its steps; those of the histories beside it are met too."""
GOES_ON = 0.6
RIVALS = 0.3
KINDS_OF_PROCESSES = ("api", "api-2", "worker", "worker-2")
"""Two of each: what one of them had, the other has when it is gone."""
PROCESSES = tuple(f"{service}-{kind}" for service in SERVICES for kind in KINDS_OF_PROCESSES)

type Fault = Literal[
    "kill",
    "end",
    "freeze",
    "thaw",
    "overtake",
    "stop-postgres",
    "stop-kafka",
    "freeze-kafka",
    "send-again",
    "say-twice",
]
OFTEN: Mapping[Fault, int] = {
    "kill": 5,
    "end": 3,
    "freeze": 4,
    "thaw": 4,
    "overtake": 4,
    "stop-postgres": 2,
    "stop-kafka": 2,
    "freeze-kafka": 2,
    "send-again": 2,
    "say-twice": 2,
}
KINDS: list[Fault] = list(OFTEN)

type What = Literal[
    "buyers-review",
    "sellers-review",
    "reply",
    "flag",
    "dispute",
    "acceptance",
    "withdrawal",
    "return",
    "cancellation",
]
STORIES: tuple[tuple[What, ...], ...] = (
    ("buyers-review", "sellers-review", "reply", "flag"),
    ("dispute", "acceptance"),
    ("dispute", "withdrawal"),
    ("return",),
    ("return", "cancellation"),
)
"""What is asked for about an order that is complete, in turn."""


class Place(Struct, frozen=True, kw_only=True):
    """An order is sent; `again`: with the key that it had before."""

    order_id: str
    again: bool = False


class Import(Struct, frozen=True, kw_only=True):
    """Orders are sent as one upload; `reviewed`: complete, each with a review of its buyer."""

    order_ids: tuple[str, ...]
    reviewed: bool = False


class Race(Struct, frozen=True, kw_only=True):
    """Two clients send an order at once, and then tell of its payment, each in his own words."""

    order_id: str


class Complete(Struct, frozen=True, kw_only=True):
    """An order is sent and all that follows, up to its completion, one by one or `in_bulk`."""

    order_id: str
    in_bulk: bool = False


class Ask(Struct, frozen=True, kw_only=True):
    """Somebody asks for something about an order that is complete; `rivals`: two at once, for the
    same.
    """

    order_id: str
    what: What
    rivals: bool = False


class Break(Struct, frozen=True, kw_only=True):
    """Something goes wrong with a process, or with a server. `process`: also whose topic it is."""

    fault: Fault
    process: str


type Act = Place | Import | Race | Complete | Ask
type Step = Act | Break


def plan_of(seed: int, steps: int = STEPS) -> list[Step]:
    """What is done in a run, in turn."""
    chance = random.Random(seed)  # noqa: S311 - it is to be repeated
    mark = f"run-{seed}-{chance.getrandbits(32):08x}"
    planner = _Planner(chance)
    return [planner.step(f"{mark}-{number}") for number in range(steps)]


class _Planner:
    """Knows what there is to go on with."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._placed: list[str] = []
        self._stories: list[tuple[str, list[What]]] = []

    def step(self, name: str) -> Step:
        """`name`: of an order that nobody has yet."""
        chance = self._chance
        if chance.random() < FAULTS:
            fault = chance.choices(KINDS, list(OFTEN.values()))[0]
            return Break(fault=fault, process=chance.choice(PROCESSES))
        if self._stories and chance.random() < GOES_ON:
            return self._go_on()
        begin = chance.choices(
            (self._place, self._again, self._race, self._import, self._complete), (2, 1, 2, 2, 5)
        )[0]
        return begin(name)

    def _go_on(self) -> Ask:
        chance = self._chance
        order_id, story = chance.choice(self._stories)
        what = story.pop(0)
        self._stories = [each for each in self._stories if each[1]]
        return Ask(order_id=order_id, what=what, rivals=chance.random() < RIVALS)

    def _place(self, name: str) -> Place:
        self._placed.append(name)
        return Place(order_id=name)

    def _again(self, name: str) -> Place:
        if not self._placed:
            return self._place(name)
        return Place(order_id=self._chance.choice(self._placed), again=True)

    def _race(self, name: str) -> Race:
        return Race(order_id=self._chance.choice([name, *self._placed[-1:]]))

    def _import(self, name: str) -> Import:
        count = self._chance.randint(1, BULK_MAX)
        order_ids = tuple(f"{name}-{each}" for each in range(count))
        return Import(order_ids=order_ids, reviewed=self._chance.random() < 1 / 2)

    def _complete(self, name: str) -> Complete:
        self._stories.append((name, [*self._chance.choice(STORIES)]))
        return Complete(order_id=name, in_bulk=self._chance.random() < 1 / 2)
