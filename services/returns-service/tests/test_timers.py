"""Which deadlines are set where a ledger stands, and what each of them asks for."""

import pytest
from returns_service.domain.failing import RetryRefund
from returns_service.domain.ledger_rules import LedgerCommand
from returns_service.domain.ledger_state import Unopened
from returns_service.domain.ledger_timers import asked_of_ledger, ledger_deadlines
from returns_service.testing import DAY, HOUR, NOW, at, history, kinds, ledger_after, played, say
from returns_service.testing.stories import (
    BOUNCED,
    FAILED,
    OPEN,
    REISSUED,
    REQUESTED,
    SETTLED,
    WAITING,
)
from shared_casework.overdue import NoteOverdue

LIMIT = at(2) + 14 * DAY


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (OPEN, []),
        (REQUESTED, [("REFUND_DUE", "f-1", LIMIT)]),
        (WAITING, [("REFUND_RETRY", "f-1", NOW + HOUR), ("REFUND_DUE", "f-1", LIMIT)]),
        (FAILED, [("REFUND_DUE", "f-1", LIMIT)]),
        (REISSUED, [("REFUND_DUE", "f-3", at(4) + 14 * DAY)]),
        (SETTLED, []),
        (BOUNCED, [("REFUND_DUE", "f-1", at(4) + 14 * DAY)]),
    ],
)
def test_the_deadlines_of_a_ledger_follow_from_where_it_stands(
    story: tuple[LedgerCommand, ...], expected: list[tuple[str, str, object]]
) -> None:
    assert ledger_deadlines(ledger_after(*story)) == expected


def test_before_its_opening_there_is_none() -> None:
    assert ledger_deadlines(Unopened()) == []


def test_each_is_met_by_its_command_once() -> None:
    retry, limit = ledger_deadlines(ledger_after(*WAITING))
    assert asked_of_ledger(*retry) == RetryRefund(refund_id="f-1")
    assert asked_of_ledger(*limit) == NoteOverdue(what="REFUND", ref_id="f-1", due_at=LIMIT)
    for deadline, told in ((retry, "RefundRetried"), (limit, "DecisionOverdue")):
        fire = say(asked_of_ledger(*deadline), deadline.due)
        late = say(asked_of_ledger(*deadline), deadline.due + DAY)
        assert kinds(played(fire, late, after=history(*WAITING)).events) == [told]
        assert deadline not in ledger_deadlines(ledger_after(*WAITING, fire))
