"""The tables of returns as data: what may be asked back, who decides it and in which lane, who pays
for its label. And what no version of them may say.
"""

from collections.abc import Sequence
from itertools import product
from typing import Literal, get_args

from msgspec import Struct
from shared_events.dispute import DisputeReason, Liable
from shared_events.returns import Lane, Payer, ReturnReason, Reviewer

from returns_service.domain.rule_check import Box, Law, require_sound
from returns_service.domain.rule_table import Inputs, Policy, Question, Row, Table, Value

type AskedReason = Literal[
    "DAMAGED",
    "WRONG_ITEM",
    "NOT_AS_DESCRIBED",
    "DEFECTIVE",
    "MISSING_PARTS",
    "SIZE_MISFIT",
    "CHANGE_OF_MIND",
]
"""Why a buyer may ask for a return."""
type ReturnMeasure = Literal["MANUAL_ONLY", "NO_FAST_LANE"]
"""Of a buyer: a person decides what he asks for; nothing is advanced to him."""
type Proof = Literal["PHOTO", "SIZES", "NONE"]
"""What the fast lane asks for: the guided photo, or what was ordered, felt and measured."""
type Barrier = Literal["NOT_RETURNABLE", "EVIDENCE_REQUIRED"]
YES, NO = "yes", "no"

ASKED_REASONS: tuple[AskedReason, ...] = get_args(AskedReason.__value__)
DISPUTE_REASONS: tuple[str, ...] = get_args(DisputeReason.__value__)
SELLERS_FAULT: frozenset[ReturnReason] = frozenset(
    {"DAMAGED", "WRONG_ITEM", "NOT_AS_DESCRIBED", "DEFECTIVE", "MISSING_PARTS"}
)


class Verdict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Authorized in a lane, or to be reviewed by somebody."""

    lane: Lane | None = None
    review_by: Reviewer | None = None

    def __post_init__(self) -> None:
        if (self.lane is None) == (self.review_by is None):
            raise ValueError("a request is authorized in a lane, or reviewed by somebody")


class PaidBy(Struct, frozen=True, forbid_unknown_fields=True):
    """Who pays for the label."""

    by: Payer


class Admitted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What stands against asking for it; None: nothing."""

    refused: Barrier | None = None


class Tables(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be asked, who decides it, and who pays for its label; each asked from above."""

    admission: Table[Admitted]
    deciding: Table[Verdict]
    label: Table[PaidBy]


ADMISSION = Table(
    name="admission",
    rows=(
        Row(
            code="E1",
            when=(
                Question(code="E1", of="kind", among=("CLAIM",)),
                Question(code="E1", of="photo", among=(NO,)),
            ),
            then=Admitted(refused="EVIDENCE_REQUIRED"),
        ),
        Row(
            code="E2",
            when=(
                Question(
                    code="E2", of="reason", among=("CHANGE_OF_MIND", "SIZE_MISFIT", "WITHDRAWAL")
                ),
                Question(code="E2", of="category", among="return.excluded_categories"),
            ),
            then=Admitted(refused="NOT_RETURNABLE"),
        ),
        Row(code="E3", then=Admitted()),
    ),
)
DECIDING = Table(
    name="deciding",
    rows=(
        Row(
            code="D1",
            when=(Question(code="D1", of="origin", among=("DISPUTE",)),),
            then=Verdict(lane="STANDARD"),
        ),
        Row(
            code="D2",
            when=(Question(code="D2", of="kind", among=("WITHDRAWAL",)),),
            then=Verdict(lane="STATUTORY"),
        ),
        Row(
            code="D4",
            when=(Question(code="D4", of="measures", has="MANUAL_ONLY"),),
            then=Verdict(review_by="AGENT"),
        ),
        Row(
            code="D4",
            when=(Question(code="D4", of="value_ref_minor", at_least="return.manual_value_ref"),),
            then=Verdict(review_by="AGENT"),
        ),
        Row(
            code="D3",
            when=(Question(code="D3", of="kind", among=("CLAIM",)),),
            then=Verdict(review_by="SELLER"),
        ),
        Row(
            code="F6",
            when=(
                Question(code="F1", of="reason", among="return.fast_reasons"),
                Question(code="F2", of="value_ref_minor", at_most="return.fast_value_ref"),
                Question(code="F3", of="measures", lacks="NO_FAST_LANE"),
                Question(code="F4", of="fast_returns", below="return.fast_per_order"),
                Question(code="F5", of="proof", among=("PHOTO", "SIZES")),
                Question(code="F6", of="exposure_ref_minor", at_most="return.fast_exposure_ref"),
                Question(
                    code="F6", of="since_rejected_seconds", at_least="return.fast_reject_span"
                ),
            ),
            then=Verdict(lane="FAST"),
        ),
        Row(
            code="D5",
            when=(Question(code="D5", of="value_ref_minor", at_most="return.auto_value_ref"),),
            then=Verdict(lane="STANDARD"),
        ),
        Row(code="D6", then=Verdict(review_by="SELLER")),
    ),
)
LABEL = Table(
    name="label",
    rows=(
        Row(
            code="L1",
            when=(Question(code="L1", of="liable", among=("PLATFORM",)),),
            then=PaidBy("PLATFORM"),
        ),
        Row(
            code="L2",
            when=(Question(code="L2", of="liable", among=("CARRIER",)),),
            then=PaidBy("SELLER"),
        ),
        Row(
            code="L3",
            when=(Question(code="L3", of="sellers_fault", among=(YES,)),),
            then=PaidBy("SELLER"),
        ),
        Row(
            code="L4",
            when=(
                Question(code="L4", of="lane", among=("FAST",)),
                Question(code="L4", of="reason", among=("SIZE_MISFIT",)),
            ),
            then=PaidBy("PLATFORM"),
        ),
        Row(code="L5", then=PaidBy("BUYER")),
    ),
)
TABLES = Tables(admission=ADMISSION, deciding=DECIDING, label=LABEL)


# --- What there can be, and what may never come of it


def require_tables(tables: Tables, policy: Policy) -> None:
    """Raises `UnsoundTable` with the request that shows what is wrong."""
    categories = frozenset[Value]({*policy("return.excluded_categories"), "any other"})
    require_sound(tables.admission, admission_space(categories), policy, ADMISSION_LAW)
    require_sound(tables.deciding, deciding_space(), policy, DECIDING_LAW)
    require_sound(tables.label, label_space(), policy)


def words(*told: str | None) -> frozenset[Value]:
    return frozenset(told)


def kinds_and_reasons() -> list[dict[str, frozenset[Value]]]:
    """What is asked for, by whom, and why."""
    asked, faults = words(*ASKED_REASONS), words(*SELLERS_FAULT)
    buyer = words("BUYER")
    return [
        {"origin": buyer, "kind": words("RETURN", "EXCHANGE"), "reason": asked},
        {"origin": buyer, "kind": words("CLAIM"), "reason": faults},
        {"origin": buyer, "kind": words("WITHDRAWAL"), "reason": words("WITHDRAWAL")},
        {
            "origin": words("DISPUTE"),
            "kind": words("RETURN", "EXCHANGE", "CLAIM"),
            "reason": words(*DISPUTE_REASONS),
        },
    ]


def admission_space(categories: frozenset[Value]) -> list[Box]:
    asked = (each for each in kinds_and_reasons() if "DISPUTE" not in each["origin"])
    return [{**each, "photo": words(YES, NO), "category": categories} for each in asked]


def deciding_space() -> list[Box]:
    one, other = get_args(ReturnMeasure.__value__)
    measures = frozenset[Value](
        {frozenset(), frozenset({one}), frozenset({other}), frozenset({one, other})}
    )
    return [
        {
            **each,
            "value_ref_minor": frozenset({0}),
            "measures": measures,
            "fast_returns": frozenset({0}),
            "proof": words(*get_args(Proof.__value__)),
            "exposure_ref_minor": frozenset({0}),
            "since_rejected_seconds": frozenset({None, 0}),
        }
        for each in kinds_and_reasons()
    ]


def label_space() -> list[Box]:
    """Of a buyer's request nobody is liable yet, and its reason says whose fault it is."""
    faults: Sequence[Value] = [*SELLERS_FAULT]
    no_faults = [each for each in (*ASKED_REASONS, "WITHDRAWAL") if each not in SELLERS_FAULT]
    asked: list[Box] = [
        {
            "liable": words("NONE"),
            "lane": words(*get_args(Lane.__value__)),
            "reason": frozenset(reasons),
            "sellers_fault": words(fault),
        }
        for reasons, fault in ((faults, YES), (no_faults, NO))
    ]
    remedies: list[Box] = [
        {
            "liable": words(liable),
            "lane": words("STANDARD"),
            "reason": words(*DISPUTE_REASONS),
            "sellers_fault": words(fault),
        }
        for liable, fault in product(get_args(Liable.__value__), (YES, NO))
    ]
    return [*asked, *remedies]


def law_of_admission(request: Inputs, said: Admitted, _: Sequence[Question]) -> str | None:
    if request["kind"] == "WITHDRAWAL" and said.refused == "EVIDENCE_REQUIRED":
        return "a withdrawal needs no reason and no proof"
    return None


def law_of_deciding(request: Inputs, said: Verdict, made: Sequence[Question]) -> str | None:
    if request["origin"] == "DISPUTE":
        return None if said.lane == "STANDARD" else "what a dispute has ordered is done, STANDARD"
    if request["kind"] == "WITHDRAWAL":
        return law_of_withdrawal(said, made)
    return law_of_asking(request, said) if said.lane else None


def law_of_asking(request: Inputs, said: Verdict) -> str | None:
    """What no rule may authorize."""
    measures = request["measures"]
    assert isinstance(measures, frozenset)
    if said.lane == "STATUTORY":
        return "STATUTORY is the lane of withdrawals alone"
    if request["kind"] == "CLAIM":
        return "no rule gives money for goods that stay"
    if "MANUAL_ONLY" in measures:
        return "a person decides what this buyer asks for"
    if said.lane == "FAST" and "NO_FAST_LANE" in measures:
        return "nothing is advanced to this buyer"
    return None


def law_of_withdrawal(said: Verdict, made: Sequence[Question]) -> str | None:
    if said.lane != "STATUTORY":
        return "a withdrawal is authorized, STATUTORY, and never reviewed"
    others = [test.of for test in made if test.of not in ("origin", "kind")]
    return f"a withdrawal is not asked for `{others[0]}`" if others else None


ADMISSION_LAW = Law(law_of_admission, ("kind",))
DECIDING_LAW = Law(law_of_deciding, ("origin", "kind", "measures"))
