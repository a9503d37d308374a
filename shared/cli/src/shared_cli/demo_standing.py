"""A running stack and one of its sellers in, how he stood out: after an answer that came late, a
dispute that he lost, a fine, and the appeal that put him right.

It is told over HTTP; five days go by.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

from local_stack.people import until
from local_stack.services import Stack
from local_stack.standing import Standing

from shared_cli import clock

BALANCE, FINED = 100, 76


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """The score (micro-points of 0..100), points and level of a seller once something happened."""

    what: str
    score_micro: int
    balance: int
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a seller stood, step by step; `case`: the path of the one against him."""

    seller_id: str
    case: str
    steps: tuple[Stood, ...]


def tell(stack: Stack, seller_id: str) -> Course:
    """About orders of its own: told again, it is about others."""
    move = partial(clock.move, Path(stack.description.clock_file))
    life = Standing(stack, f"demo-{uuid4().hex[:8]}", move, seller_id)
    steps = [stood(life, "before", BALANCE)]

    def then(what: str, happens: Callable[[], object], balance: int = BALANCE) -> None:
        happens()
        steps.append(stood(life, what, balance))

    then("a question was answered a day late", life.answers_late)
    then("a dispute was lost", lambda: loses(life))
    then("fined for ratings that were taken for made up", life.is_fined, FINED)
    then("he appealed, and was right", lambda: is_righted(life))
    return Course(seller_id=seller_id, case=life.case, steps=tuple(steps))


def loses(life: Standing) -> None:
    """And has it in his score."""
    before = life.score()["dimensions"]["dispute"]["n_milli"]
    life.loses_a_dispute()
    until(
        lambda: life.score()["dimensions"]["dispute"]["n_milli"] > before + 1000,
        "the dispute is in the score",
    )


def is_righted(life: Standing) -> None:
    life.appeals()
    until(lambda: any(each["stayed"] for each in life.points()["penalties"]), "it is stayed")
    life.is_proved_right()


def stood(life: Standing, what: str, balance: int) -> Stood:
    """Once score and points are of the same moment."""
    until(lambda: life.score()["balance"] == balance, f"a balance of {balance} caps the level")
    score = life.score()
    return Stood(
        what=what,
        score_micro=score["score_micro"],
        balance=score["balance"],
        level=score["public_level"],
    )
