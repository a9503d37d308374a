"""What the other services tell opens a case where the rules say so; elsewhere it is a hint."""

from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace
from reputation_service.domain.automatic import FOLLOWED, Hint, suspicions
from reputation_service.domain.case_opening import OpenCase
from reputation_service.domain.case_rules import CASES
from reputation_service.domain.known import ClaimFacts
from reputation_service.domain.points_policy import AE_2025_1
from reputation_service.domain.violations import VIOLATIONS
from reputation_service.testing import at, kinds, say
from shared_events.dispute import DisputeClosed
from shared_events.reputation import LevelChanged
from shared_events.returns import (
    AdvanceUnrecovered,
    ExchangeUnreturned,
    RejectedUnit,
    ReturnClosed,
    UnitsRejected,
)
from shared_events.samples import sample
from shared_runtime.testing import play

CALM = ClaimFacts(lost=1, orders=50)
MANY = ClaimFacts(lost=4, orders=10, warned=True)


def of(kind: type[Struct], **changes: Any) -> Any:  # noqa: ANN401 - a fact of any kind
    return replace(sample(kind), **changes)


def found(event: Any, claims: ClaimFacts = CALM) -> list[tuple[str, str, str]]:  # noqa: ANN401
    told = suspicions(event, "E1", claims, AE_2025_1)
    return [
        ("case" if isinstance(each, OpenCase) else "hint", each.rule, each.account_id)
        for each in told
    ]


FAIR = of(DisputeClosed, how="DECIDED", reason="DAMAGED", liable="NONE")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (replace(FAIR, how="DEFAULT", liable="SELLER"), [("case", "UNANSWERED_DISPUTE", "S-17")]),
        (replace(FAIR, reason="COUNTERFEIT", liable="SELLER"), [("case", "COUNTERFEIT", "S-17")]),
        (replace(FAIR, reason="COUNTERFEIT", liable="BUYER"), []),
        (FAIR, []),
        (of(ReturnClosed, timely=False), [("case", "LATE_RETURN_HANDLING", "S-17")]),
        (of(ReturnClosed, timely=True), []),
        (of(ExchangeUnreturned), [("case", "UNRETURNED_EXCHANGE", "B-42")]),
        (of(AdvanceUnrecovered, confirmed=True), [("case", "EMPTY_BOX_RETURN", "B-42")]),
        (of(AdvanceUnrecovered, confirmed=False), [("hint", "EMPTY_BOX_RETURN", "B-42")]),
        (of(LevelChanged, to="RESTRICTED"), []),
        (
            of(LevelChanged, from_="RESTRICTED", to="CRITICAL"),
            [("case", "SUSPENSION_REVIEW", "S-17")],
        ),
    ],
)
def test_a_case_is_opened_where_the_rules_say_so(
    event: Any,  # noqa: ANN401 - a fact of any kind
    expected: list[tuple[str, str, str]],
) -> None:
    assert found(event) == expected


@pytest.mark.parametrize(
    ("reason", "hints"),
    [("WRONG_ITEM", 1), ("SHORT", 1), ("NOT_OURS", 1), ("USED", 0), ("OTHER", 0), ("LATE", 0)],
)
def test_goods_that_were_never_sold_are_a_hint(reason: Any, hints: int) -> None:  # noqa: ANN401
    event = of(UnitsRejected, units=[RejectedUnit(unit="1/1", reason=reason)])
    assert found(event) == [("hint", "EMPTY_BOX_RETURN", "B-42")] * hints


def test_a_buyer_who_loses_too_many_claims_is_a_hint_and_no_case() -> None:
    lost = replace(FAIR, liable="BUYER")
    assert found(lost, MANY) == [("hint", "FALSE_CLAIMS", "B-42")]
    assert found(lost, CALM) == []


def test_the_same_event_makes_the_same_case_and_two_rules_two() -> None:
    both = replace(FAIR, how="DEFAULT", reason="COUNTERFEIT", liable="SELLER")
    one, other = suspicions(both, "E1", CALM, AE_2025_1)
    assert suspicions(both, "E1", CALM, AE_2025_1) == [one, other]
    assert isinstance(one, OpenCase)
    assert isinstance(other, OpenCase)
    assert one.case_id != other.case_id


@pytest.mark.parametrize("kind", FOLLOWED, ids=lambda kind: kind.__name__)
def test_what_is_opened_by_itself_the_rules_take(kind: type[Struct]) -> None:
    changes: dict[type[Struct], dict[str, Any]] = {
        DisputeClosed: {"how": "DEFAULT"},
        ReturnClosed: {"timely": False},
        AdvanceUnrecovered: {"confirmed": True},
        LevelChanged: {"from_": "RESTRICTED", "to": "CRITICAL"},
    }
    for said in suspicions(of(kind, **changes.get(kind, {})), "E1", CALM, AE_2025_1):
        if isinstance(said, Hint):
            assert not VIOLATIONS[said.rule].automatic
        else:
            assert kinds(play(CASES, [say(said, now=at())]).events) == ["CaseOpened"]
