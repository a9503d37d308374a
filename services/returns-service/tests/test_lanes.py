"""Who decides a request, in which lane and at whose expense; and what no table may say."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns_service.domain.known import BuyerFacts
from returns_service.domain.lanes import Request, admitted, by_silence, decided, payer_of
from returns_service.domain.policy import AE_2025_1, ReturnsPolicy
from returns_service.domain.rule_check import UnsoundTable
from returns_service.domain.rule_table import TRACE_MAX, Question, Row
from returns_service.domain.tables import (
    ASKED_REASONS,
    TABLES,
    Admitted,
    PaidBy,
    ReturnMeasure,
    Tables,
    Verdict,
    require_tables,
)
from returns_service.domain.windows import WindowRow
from returns_service.testing.returns import DAY, at
from shared_casework.policy import FaultyPolicyError
from shared_casework.policy_sets import read_set, written_set
from shared_events.dispute import Liable
from shared_events.fields import MINOR_MAX
from shared_events.returns import Lane, ReturnKind, ReturnReason
from shared_runtime.decider import InvalidValue

TRUSTED = BuyerFacts()


def asks(value: int = 5399, **told: Any) -> Request:  # noqa: ANN401 - any field
    """For a return of a damaged piece, with its photo."""
    said: dict[str, Any] = {"kind": "RETURN", "reason": "DAMAGED", "photo": True, "asked_at": at(3)}
    return Request(value_ref_minor=value, **(said | told))


def answer(request: Request, policy: ReturnsPolicy = AE_2025_1) -> str:
    match = decided(request, policy)
    return f"{match.code} {match.then.lane or match.then.review_by}"


def test_each_test_that_was_made_is_in_the_trace() -> None:
    assert decided(asks(5399, reason="NOT_AS_DESCRIBED"), AE_2025_1).trace == (
        "D1:fail:BUYER",
        "D2:fail:RETURN",
        "D4:fail:none",
        "D4:fail:5399>=50000",
        "D3:fail:RETURN",
        "F1:fail:NOT_AS_DESCRIBED",
        "D5:fail:5399<=2000",
        "D6:pass:else",
    )


def test_a_trace_names_what_stood_in_the_way_of_the_fast_lane() -> None:
    rejected = BuyerFacts(advance_rejected_at=at(2))
    assert "F6:fail:86400>=15552000" in decided(asks(buyer=rejected), AE_2025_1).trace
    exposed = BuyerFacts(exposure_ref_minor=24_602)
    assert "F6:fail:30001<=30000" in decided(asks(buyer=exposed), AE_2025_1).trace
    warned = BuyerFacts(measures=frozenset({"NO_FAST_LANE"}))
    assert "F3:fail:NO_FAST_LANE" in decided(asks(buyer=warned), AE_2025_1).trace
    assert decided(asks(), AE_2025_1).trace[-2:] == ("F6:pass:5399<=30000", "F6:pass:never")


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (asks(10_000), "F6 FAST"),
        (asks(10_001), "D6 SELLER"),
        (asks(photo=False), "D6 SELLER"),
        (asks(2000, photo=False), "D5 STANDARD"),
        (asks(2001, photo=False), "D6 SELLER"),
        (asks(49_999), "D6 SELLER"),
        (asks(50_000), "D4 AGENT"),
        (asks(fast_returns=1), "D6 SELLER"),
        (asks(reason="SIZE_MISFIT"), "D6 SELLER"),
        (asks(reason="SIZE_MISFIT", sizes=True), "F6 FAST"),
        (asks(buyer=BuyerFacts(exposure_ref_minor=24_601)), "F6 FAST"),
        (asks(buyer=BuyerFacts(advance_rejected_at=at(3) - 180 * DAY)), "F6 FAST"),
        (
            asks(buyer=BuyerFacts(advance_rejected_at=at(3) - 180 * DAY + timedelta(seconds=1))),
            "D6 SELLER",
        ),
        (asks(1, buyer=BuyerFacts(measures=frozenset({"MANUAL_ONLY"}))), "D4 AGENT"),
        (asks(kind="CLAIM"), "D3 SELLER"),
        (asks(50_000, kind="CLAIM"), "D4 AGENT"),
        (asks(50_000, kind="WITHDRAWAL", reason="WITHDRAWAL"), "D2 STATUTORY"),
        (asks(50_000, origin="DISPUTE"), "D1 STANDARD"),
    ],
)
def test_a_request_is_decided_by_the_first_rule_that_takes_it(request_: Request, told: str) -> None:
    assert answer(request_) == told


@given(
    st.integers(0, MINOR_MAX),
    st.integers(0, MINOR_MAX),
    st.integers(0, 20),
    st.sampled_from(ASKED_REASONS),
    st.frozensets(st.sampled_from(["MANUAL_ONLY", "NO_FAST_LANE"])),
)
def test_no_test_of_a_trace_is_longer_than_an_id(
    value: int, exposure: int, fast: int, reason: ReturnReason, measures: frozenset[ReturnMeasure]
) -> None:
    buyer = BuyerFacts(measures=measures, exposure_ref_minor=exposure, advance_rejected_at=at(1))
    request = asks(value, reason=reason, fast_returns=fast, buyer=buyer, sizes=True)
    match = decided(request, AE_2025_1)
    assert match.trace[-1].startswith(f"{match.code}:pass:")
    for told in match.trace:
        assert len(told) <= TRACE_MAX
        assert told.count(":") == 2


def test_what_a_question_asks_is_worked_out_once_and_belongs_to_that_question() -> None:
    one = Question(code="F6", of="value_ref_minor", at_most="return.auto_value_ref")
    written = msgspec.json.encode(one)
    assert one.asked is one.asked
    other = msgspec.structs.replace(one, at_most=None, below=7)
    assert (other.asked, other.key) == ([("below", 7)], None)
    assert (one.asked, one.key) == ([("at_most", one.at_most)], one.at_most)
    assert msgspec.json.encode(one) == written
    assert msgspec.json.decode(written, type=Question) == one


def test_of_a_withdrawal_nothing_is_asked_but_whether_it_is_one() -> None:
    buyer = BuyerFacts(measures=frozenset({"MANUAL_ONLY"}), exposure_ref_minor=MINOR_MAX)
    request = asks(MINOR_MAX, kind="WITHDRAWAL", reason="WITHDRAWAL", buyer=buyer)
    assert decided(request, AE_2025_1).trace == ("D1:fail:BUYER", "D2:pass:WITHDRAWAL")


def test_the_policys_numbers_move_the_tables() -> None:
    later = replace(AE_2025_1, version="later", return_auto_value_ref=5399)
    assert answer(asks(photo=False), later) == "D5 STANDARD"
    slow = replace(AE_2025_1, version="slow", return_fast_reasons=frozenset())
    assert answer(asks(), slow) == "D6 SELLER"


# --- The label, what may be asked, silence


@pytest.mark.parametrize(
    ("lane", "reason", "fault", "liable", "payer"),
    [
        ("STANDARD", "DAMAGED", True, "NONE", "SELLER"),
        ("FAST", "SIZE_MISFIT", False, "NONE", "PLATFORM"),
        ("STANDARD", "SIZE_MISFIT", False, "NONE", "BUYER"),
        ("STANDARD", "CHANGE_OF_MIND", False, "NONE", "BUYER"),
        ("STATUTORY", "WITHDRAWAL", False, "NONE", "BUYER"),
        ("STANDARD", "NOT_AS_DESCRIBED", False, "PLATFORM", "PLATFORM"),
        ("STANDARD", "NOT_AS_DESCRIBED", False, "CARRIER", "SELLER"),
        ("STANDARD", "SIZE_MISFIT", True, "SELLER", "SELLER"),
        ("STANDARD", "DAMAGED", False, "BUYER", "BUYER"),
    ],
)
def test_a_label_is_paid_by_whose_fault_it_is(
    lane: Lane, reason: ReturnReason, fault: bool, liable: Liable, payer: str
) -> None:
    told = payer_of(lane, reason, AE_2025_1, sellers_fault=fault, liable=liable)
    assert told == payer


@pytest.mark.parametrize(
    ("kind", "reason", "category", "photo", "refused"),
    [
        ("CLAIM", "DAMAGED", "shoes", False, "EVIDENCE_REQUIRED"),
        ("CLAIM", "DAMAGED", "shoes", True, None),
        ("RETURN", "CHANGE_OF_MIND", "DIGITAL", True, "NOT_RETURNABLE"),
        ("EXCHANGE", "SIZE_MISFIT", "MADE_TO_ORDER", True, "NOT_RETURNABLE"),
        ("RETURN", "CHANGE_OF_MIND", "shoes", True, None),
        ("RETURN", "DAMAGED", "DIGITAL", False, None),
        ("WITHDRAWAL", "WITHDRAWAL", "PERISHABLE", False, "NOT_RETURNABLE"),
    ],
)
def test_what_is_made_for_one_is_taken_back_only_where_something_is_wrong_with_it(
    kind: ReturnKind, reason: ReturnReason, category: str, photo: bool, refused: str | None
) -> None:
    assert admitted(kind, reason, category, photo=photo, policy=AE_2025_1).refused == refused


@pytest.mark.parametrize(
    ("wants", "reason", "asked", "buyer", "becomes"),
    [
        ("REFUND", "MISSING_PARTS", 1079, TRUSTED, "CLAIM"),
        ("REFUND", "MISSING_PARTS", 1080, TRUSTED, "RETURN"),
        ("REFUND", "DAMAGED", 1000, TRUSTED, "RETURN"),
        ("REPLACEMENT", "MISSING_PARTS", None, TRUSTED, "EXCHANGE"),
        (
            "REFUND",
            "MISSING_PARTS",
            1000,
            BuyerFacts(measures=frozenset({"MANUAL_ONLY"})),
            "RETURN",
        ),
    ],
)
def test_silence_gives_small_money_for_missing_parts_and_else_has_the_goods_sent_back(
    wants: str, reason: ReturnReason, asked: int | None, buyer: BuyerFacts, becomes: str
) -> None:
    """Of a piece that was paid with 5399."""
    told = by_silence(
        kind="CLAIM",
        reason=reason,
        wants=wants,
        asked_minor=asked,
        paid_minor=5399,
        buyer=buyer,
        policy=AE_2025_1,
    )
    assert told.then == becomes


# --- Tables that are not loaded


def deciding(*rows: Row[Verdict]) -> Tables:
    return msgspec.structs.replace(
        TABLES, deciding=msgspec.structs.replace(TABLES.deciding, rows=rows)
    )


def loaded(tables: Tables) -> ReturnsPolicy:
    return replace(AE_2025_1, version="draft", return_tables=tables)


def refusal(tables: Tables) -> tuple[str, Any]:
    with pytest.raises(UnsoundTable) as caught:
        require_tables(tables, AE_2025_1.value)
    return str(caught.value), caught.value.request


def of(name: str, *words: str) -> Question:
    return Question(code="D0", of=name, among=words)


ROWS = TABLES.deciding.rows
AGENT = Verdict(review_by="AGENT")


def test_the_published_tables_are_loaded_again_from_what_they_are_written_as() -> None:
    written = msgspec.json.encode(TABLES)
    assert msgspec.json.decode(written, type=Tables) == TABLES
    assert loaded(msgspec.json.decode(written, type=Tables)).return_tables == TABLES


def test_a_table_with_a_hole_is_refused_with_a_request_that_falls_into_it() -> None:
    told, request = refusal(deciding(*ROWS[:-1]))
    assert "deciding: no row takes this request" in told
    assert (request["kind"], request["value_ref_minor"]) == ("RETURN", 2001)
    narrow = Row(
        code="D6",
        when=(Question(code="D6", of="value_ref_minor", at_most=49_998),),
        then=Verdict(review_by="SELLER"),
    )
    _, request = refusal(deciding(*ROWS[:-1], narrow))
    assert request["value_ref_minor"] == 49_999, "the one value between two limits"


def test_a_policy_with_such_a_table_is_not_loaded_and_says_why() -> None:
    with pytest.raises(FaultyPolicyError, match="return_tables is deciding: no row takes"):
        loaded(deciding(*ROWS[:-1]))


def test_a_policy_is_read_whole_with_its_tables_and_windows() -> None:
    policy = replace(AE_2025_1, version="w", return_windows=(WindowRow(window=30 * DAY),))
    written = msgspec.json.decode(msgspec.json.encode(written_set(policy)))
    assert read_set(ReturnsPolicy, written) == policy
    with pytest.raises(InvalidValue) as refused:
        read_set(ReturnsPolicy, written | {"return_windows": [{"window": "P3D"}]})
    assert [error.field for error in refused.value.errors] == ["return_windows"]


def test_a_row_that_never_decides_contradicts_those_above_it() -> None:
    shadowed = Row(
        code="D9",
        when=(Question(code="D9", of="value_ref_minor", at_least=60_000),),
        then=Verdict(review_by="SELLER"),
    )
    told, request = refusal(deciding(*ROWS[:4], shadowed, *ROWS[4:]))
    assert "D9 never decides, D" in told
    assert request["value_ref_minor"] == 60_000


def test_a_row_that_takes_nothing_contradicts_itself() -> None:
    never = Row(
        code="D9",
        when=(
            Question(code="D9", of="value_ref_minor", at_least=300),
            Question(code="D9", of="value_ref_minor", at_most=200),
        ),
        then=AGENT,
    )
    told, request = refusal(deciding(*ROWS[:2], never, *ROWS[2:]))
    assert "D9 contradicts itself" in told
    assert request is None


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (Row(code="D0", when=(of("origin", "DISPUTE"),), then=AGENT), "what a dispute has ordered"),
        (
            Row(code="D0", when=(of("kind", "WITHDRAWAL"),), then=AGENT),
            "never reviewed",
        ),
        (
            Row(
                code="D0",
                when=(
                    of("origin", "BUYER"),
                    Question(code="D0", of="value_ref_minor", at_least=90_000),
                    of("kind", "RETURN"),
                ),
                then=AGENT,
            ),
            "a withdrawal is not asked for `value_ref_minor`",
        ),
        (
            Row(
                code="D0",
                when=(of("kind", "CLAIM"),),
                then=Verdict(lane="STANDARD"),
            ),
            "no rule gives money for goods that stay",
        ),
        (
            Row(
                code="D0",
                when=(of("reason", "DEFECTIVE"),),
                then=Verdict(lane="STATUTORY"),
            ),
            "STATUTORY is the lane of withdrawals alone",
        ),
        (
            Row(
                code="D0",
                when=(
                    of("kind", "RETURN"),
                    of("reason", "DEFECTIVE"),
                ),
                then=Verdict(lane="STANDARD"),
            ),
            "a person decides what this buyer asks for",
        ),
        (
            Row(
                code="D0",
                when=(
                    of("kind", "RETURN"),
                    Question(code="D0", of="measures", lacks="MANUAL_ONLY"),
                ),
                then=Verdict(lane="FAST"),
            ),
            "nothing is advanced to this buyer",
        ),
    ],
)
def test_what_no_version_may_say_is_refused(row: Row[Verdict], why: str) -> None:
    """Put above all rows, or right below the two that law asks for."""
    at_top = row.then == AGENT
    told, request = refusal(deciding(row, *ROWS) if at_top else deciding(*ROWS[:2], row, *ROWS[2:]))
    if why.startswith(("STATUTORY", "no rule")):
        assert request["origin"] == "BUYER"
    assert why in told


def test_what_a_table_names_is_there() -> None:
    unknown = Row(code="D9", when=(Question(code="D9", of="karma", at_most=1),), then=AGENT)
    assert "which is no input" in refusal(deciding(unknown, *ROWS))[0]
    key = Question(code="D9", of="value_ref_minor", at_most="return.karma")
    told = refusal(deciding(Row(code="D9", when=(key,), then=AGENT), *ROWS))[0]
    assert "the policy has no return.karma" in told


def test_a_test_asks_one_thing_and_a_verdict_says_one() -> None:
    with pytest.raises(ValueError, match="asks exactly one thing"):
        Question(code="D9", of="kind", among=("RETURN",), at_most=3)
    with pytest.raises(ValueError, match="asks exactly one thing"):
        Question(code="D9", of="kind")
    with pytest.raises(ValueError, match="authorized in a lane, or reviewed"):
        Verdict(lane="FAST", review_by="AGENT")


def test_the_other_tables_are_asked_too() -> None:
    label = msgspec.structs.replace(TABLES.label, rows=TABLES.label.rows[:-1])
    told, _ = refusal(msgspec.structs.replace(TABLES, label=label))
    assert "label: no row takes this request" in told
    proof: Row[Admitted] = Row(code="E0", then=Admitted(refused="EVIDENCE_REQUIRED"))
    admission = msgspec.structs.replace(TABLES.admission, rows=(proof,))
    told, _ = refusal(msgspec.structs.replace(TABLES, admission=admission))
    assert "a withdrawal needs no reason and no proof" in told
    assert PaidBy("SELLER") == TABLES.label.rows[2].then


# --- Windows


def test_how_long_goods_may_be_asked_back_depends_on_what_they_are_and_where() -> None:
    longer = WindowRow(
        categories=frozenset({"furniture"}), countries=frozenset({"FR"}), window=60 * DAY
    )
    abroad = WindowRow(countries=frozenset({"FR", "BE"}), window=30 * DAY)
    policy = replace(AE_2025_1, version="longer", return_windows=(longer, abroad))
    assert policy.window_of("furniture", "FR") == 60 * DAY
    assert policy.window_of("shoes", "FR") == 30 * DAY
    assert policy.window_of("furniture", "DE") == 15 * DAY
    with pytest.raises(ValueError, match="row 2 never decides: category furniture, country FR"):
        replace(policy, return_windows=(abroad, longer))
    with pytest.raises(ValueError, match="return_windows"):
        replace(policy, return_windows=(WindowRow(window=7 * DAY - timedelta(seconds=1)),))
    assert replace(policy, return_windows=(WindowRow(window=7 * DAY),)).return_windows
    with pytest.raises(ValueError, match="return_windows"):
        replace(policy, return_windows=(WindowRow(window=366 * DAY),))
