"""An appeal comes in time, and goes to somebody else."""

from datetime import UTC, datetime

from shared_casework.appeals import in_appeal, in_time
from shared_casework.impartial import Stakes, conflict_of
from shared_casework.parties import parties_of
from shared_runtime.decider import Actor

UNTIL = datetime(2025, 3, 27, 12, tzinfo=UTC)


def test_an_appeal_is_taken_until_its_window_closes() -> None:
    assert in_time(UNTIL) == (None, UNTIL)


def test_who_decided_first_does_not_decide_the_appeal() -> None:
    stakes = Stakes(parties=parties_of(buyer_id="B1", seller_id="S1"), deciders=frozenset({"AG0"}))
    barred = in_appeal(stakes, "AG1")
    judges = {id_: Actor(role="SENIOR", id=id_) for id_ in ("AG0", "AG1", "SE2", "S1")}
    assert {id_: conflict_of(judge, barred) for id_, judge in judges.items()} == {
        "AG0": "EARLIER_DECISION",
        "AG1": "EARLIER_DECISION",
        "SE2": None,
        "S1": "PARTY",
    }
