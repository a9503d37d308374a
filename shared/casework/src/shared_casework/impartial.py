"""Who is to decide and who has a stake in the matter in, a refusal or nothing out.

Nobody judges what is his own, nor what he has judged before.
"""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct
from shared_runtime.decider import Actor, ConflictOfInterest
from shared_runtime.rule import By, Guard

from shared_casework.parties import Account, is_involved

type Ground = Literal["PARTY", "ORGANISATION", "EARLIER_DECISION", "OWN_CASE"]


class Stakes(Struct, frozen=True, kw_only=True):
    """Who may not judge a matter.

    `parties`: the accounts that it is about, and those that brought it up. `organisations`: of
    everybody who has acted for them. `deciders`: who took the earlier decisions of it, by their
    own ids. `opened_by`: whose own case it is.
    """

    parties: frozenset[Account]
    organisations: frozenset[str] = frozenset()
    deciders: frozenset[str] = frozenset()
    opened_by: str | None = None


def conflict_of(judge: Actor, stakes: Stakes) -> Ground | None:
    """The first ground on which he may not judge; None if he may."""
    if is_involved(judge, stakes.parties):
        return "PARTY"
    if judge.org_id in stakes.organisations:
        return "ORGANISATION"
    if judge.id in stakes.deciders:
        return "EARLIER_DECISION"
    return "OWN_CASE" if judge.id == stakes.opened_by else None


def require_impartial(judge: Actor, stakes: Stakes) -> None:
    """Raises `ConflictOfInterest` with the first ground that there is.

    `judge` is mostly who asks; of an assignment it is who is to be assigned.
    """
    if ground := conflict_of(judge, stakes):
        raise ConflictOfInterest(ground=ground)


def impartial[T, C, K](stakes_in: Callable[[T, C, By[K]], Stakes]) -> Guard[T, C, K]:
    """Nobody who has a stake in the matter: `impartial=impartial(stakes_in)` in a rule."""

    def by_outsider(matter: T, said: C, by: By[K]) -> None:
        require_impartial(by.actor, stakes_in(matter, said, by))

    return Guard(by_outsider, ConflictOfInterest)
