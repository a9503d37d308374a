"""When a remedy is done, and how: of what returns-service tells about it."""

from itertools import permutations

import pytest
from dispute_service.domain.execution import (
    Execution,
    NotDue,
    Paid,
    ReturnEnded,
    SentInstead,
    TakenIn,
    Word,
    after,
    begun,
    confirmation,
)
from dispute_service.domain.remedies import ConfirmExecution
from dispute_service.testing import history
from dispute_service.testing.stories import EXECUTING, REMEDY
from shared_events.dispute import Executed, RemedyOrdered
from shared_events.returns import Resolution

UNITS = ("1/1", "1/2", "1/3")


def remedy() -> Execution:
    (ordered,) = [each for each in history(*EXECUTING) if isinstance(each, RemedyOrdered)]
    return begun(ordered)


def told(*words: Word) -> ConfirmExecution | None:
    execution = remedy()
    for word in words:
        execution = after(execution, word)
    return confirmation(execution)


def paid(refund_id: str, *units: str, amount: int = 100, source: str = REMEDY) -> Paid:
    return Paid(refund_id=refund_id, source_id=source, units=units, amount_minor=amount)


def test_it_is_done_once_every_piece_is() -> None:
    assert told() is None
    assert told(paid("f1", "1/1", "1/2")) is None
    done = told(paid("f1", "1/1", "1/2", amount=1300), paid("f2", "1/3", amount=700))
    assert done == ConfirmExecution(remedy_id=REMEDY, result="REFUNDED", amount_minor=2000)


def test_a_word_told_twice_is_told_once() -> None:
    first = paid("f1", *UNITS, amount=2000)
    done = told(first, first)
    assert done
    assert done.amount_minor == 2000


def test_what_was_given_before_is_met_already() -> None:
    done = told(NotDue(units=UNITS))
    assert done == ConfirmExecution(remedy_id=REMEDY, result="ALREADY_MET", amount_minor=0)
    done = told(paid("f1", "1/1"), NotDue(units=("1/2", "1/3")))
    assert done
    assert (done.result, done.amount_minor) == ("REFUNDED", 100)


def test_a_piece_that_a_return_has_is_done_with_that_return() -> None:
    taken = TakenIn(return_id="R1", units=("1/1",), own=True)
    others = paid("f1", "1/1", "1/2", "1/3", amount=200)
    assert told(taken, others) is None
    ended = ReturnEnded(return_id="R1", resolution="REFUNDED", refunded_minor=900)
    done = told(taken, others, ended)
    assert done
    assert (done.result, done.amount_minor) == ("REFUNDED", 1100)


def test_a_return_of_its_own_tells_its_money_itself_and_another_one_refund_by_refund() -> None:
    ended = ReturnEnded(return_id="R1", resolution="REFUNDED", refunded_minor=900)
    money = paid("f1", *UNITS, amount=800, source="R1")
    own = told(TakenIn(return_id="R1", units=UNITS, own=True), money, ended)
    assert own
    assert own.amount_minor == 900
    attached = told(TakenIn(return_id="R1", units=UNITS, own=False), money, ended)
    assert attached
    assert attached.amount_minor == 800


@pytest.mark.parametrize(
    ("resolution", "refunded", "result"),
    [
        ("REFUNDED", 0, "REFUNDED"),
        ("KEPT", 0, "REFUNDED"),
        ("EXCHANGED", 0, "EXCHANGED"),
        ("REPLACED", 0, "REPLACED"),
        ("REJECTED", 0, "RETURN_REJECTED"),
        ("CONTESTED", 0, "RETURN_REJECTED"),
        ("LOST", 0, "RETURN_REJECTED"),
        ("DECLINED", 0, "RETURN_REJECTED"),
        ("MIXED", 0, "RETURN_REJECTED"),
        ("MIXED", 1, "REFUNDED"),
        ("REJECTED", 1, "REFUNDED"),
        ("EXPIRED", 0, "NOT_RETURNED"),
        ("CANCELLED", 0, "NOT_RETURNED"),
    ],
)
def test_how_a_return_ended_is_how_the_remedy_was_done(
    resolution: Resolution, refunded: int, result: Executed
) -> None:
    taken = TakenIn(return_id="R1", units=UNITS, own=True)
    done = told(taken, ReturnEnded(return_id="R1", resolution=resolution, refunded_minor=refunded))
    assert done
    assert (done.result, done.amount_minor) == (result, refunded)


@pytest.mark.parametrize(("kept", "result"), [(False, "EXCHANGED"), (True, "REPLACED")])
def test_what_is_sent_in_its_place_does_it_before_the_return_ends(
    kept: bool, result: Executed
) -> None:
    taken = TakenIn(return_id="R1", units=UNITS, own=True)
    done = told(taken, SentInstead(units=UNITS, kept=kept))
    assert done
    assert done.result == result


def test_of_parts_done_in_several_ways_the_first_of_the_list_is_told() -> None:
    words: list[Word] = [
        paid("f1", "1/1"),
        SentInstead(units=("1/2",), kept=False),
        NotDue(units=("1/3",)),
    ]
    for order in permutations(words):
        done = told(*order)
        assert done
        assert done.result == "REFUNDED"
    done = told(*words[1:], ReturnEnded(return_id="R9", resolution="LOST", refunded_minor=0))
    assert done is None
    expired = TakenIn(return_id="R1", units=("1/1",), own=True)
    ended = ReturnEnded(return_id="R1", resolution="EXPIRED", refunded_minor=0)
    done = told(expired, ended, *words[1:])
    assert done
    assert done.result == "EXCHANGED"
