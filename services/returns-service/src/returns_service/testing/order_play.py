"""What there is in the life of an order in memory, and what chance brings into it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from msgspec.structs import replace
from shared_casework.order_facts import OrderFacts

from returns_service.testing import at, line, order
from returns_service.testing.bad_companies import BadCarrier, BadProvider, BadStock, chance
from returns_service.testing.order_world import PAYMENT, World
from returns_service.testing.returns import arrived
from returns_service.wishes import CARRIER, STOCK


@dataclass(kw_only=True)
class Play:
    """One life. `told`: what was done in it, step by step, for whoever looks why it went wrong."""

    seed: int
    rng: Random = field(init=False)
    world: World = field(init=False)
    provider: BadProvider = field(init=False)
    told: list[str] = field(default_factory=list[str])
    number: int = 0

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)  # noqa: S311 - to be the same again
        self.provider = BadProvider(rng=self.rng, now=lambda: self.world.now)
        self.world = World(
            order=an_order(self.rng),
            rng=self.rng,
            ports={
                PAYMENT: self.provider,
                CARRIER: BadCarrier(rng=self.rng),
                STOCK: BadStock(rng=self.rng),
            },
            now=at(2),
        )

    def notes(self, what: object) -> None:
        self.told.append(f"{self.world.now:%d.%m. %H:%M} {what}")

    def new(self, kind: str) -> str:
        self.number += 1
        return f"{kind}-{self.number}"

    def some(self, of: Sequence[str]) -> tuple[str, ...]:
        chosen = [each for each in of if self.chance(50)]
        return tuple(chosen or [self.rng.choice(of)])

    def chance(self, percent: int) -> bool:
        return chance(self.rng, percent)


def an_order(rng: Random) -> OrderFacts:
    """Of three or four pieces, delivered or only paid."""
    lines = [line("1", 2, 1250), line("2", 1, 799)]
    if chance(rng, 30):
        lines.append(line("3", 1, 0))
    made = order(
        *lines,
        discount=rng.choice([0, 500]),
        shipping=rng.choice([0, 490]),
    )
    if chance(rng, 70):
        return arrived(made)
    return replace(made, stage="PAID")
