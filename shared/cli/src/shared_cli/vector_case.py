"""A case of vectors (facts, credits, protections, queries) in, expected and computed values out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

from msgspec import Struct, field
from reputation_service.domain.explain import (
    DimensionExplanation,
    excluded,
    explain,
    read_without,
    what_would_raise,
)
from reputation_service.domain.facts import NOWHERE, Fact, day_of
from reputation_service.domain.fold import BucketState, Facts, fold, merge, state_sha256, sum_rows
from reputation_service.domain.ledger import LedgerRow
from reputation_service.domain.level import (
    CreditLot,
    Evaluation,
    Protection,
    Standing,
    band,
    standing,
)
from reputation_service.domain.policy import Level, ScorePolicy, policy_from
from reputation_service.domain.read import Buckets, DimensionScore, SellerScore, read
from reputation_service.domain.whatif import impact, impact_report

COMPLETE = frozenset({"shares", "events", "matrix", "parts_micro", "score_without_micro"})
"""Objects of which a file names all members, or none."""

type Expectation = tuple[str, Any, Any]


class FactRow(Struct, frozen=True):
    seller_id: str
    dimension: str
    entity_id: str
    version: int
    day: int
    weight_milli: int
    k: int
    recorded_at: int
    reasons: tuple[str, ...] = ()


class SumRow(Struct, frozen=True):
    """A ledger row that stands for many facts."""

    seller_id: str
    dimension: str
    day: int
    recorded_at: int
    n: int
    wk: int
    wkk: int
    ww: int


class CreditRow(Struct, frozen=True):
    seller_id: str
    entity_id: str
    version: int
    until: int
    points: int
    recorded_at: int
    from_: int = field(name="from")


class ProtectionRow(Struct, frozen=True):
    seller_id: str
    entity_id: str
    version: int
    until: int
    level: Level | None
    recorded_at: int
    from_: int = field(name="from")


class Query(Struct, frozen=True):
    seller_id: str
    as_of: int
    day: int
    expect: dict[str, Any]
    without: list[str] | None = None


class WhatIf(Struct, frozen=True):
    as_of: int
    expect: dict[str, Any]


class CaseFile(Struct, frozen=True):
    policy: dict[str, Any]
    queries: list[Query]
    events: list[FactRow] = []
    rows: list[SumRow] = []
    credits: list[CreditRow] = []
    protections: list[ProtectionRow] = []
    draft: dict[str, Any] | None = None
    what_if: WhatIf | None = None


class Case:
    """The facts of a case, and what is known of each seller at an instant."""

    def __init__(self, file: CaseFile) -> None:
        self.policy = policy_from(file.policy)
        self.facts = Facts(fact_of(row) for row in file.events)
        self.rows = [_ledger_row(row) for row in file.rows]
        self.ledger = [*self.facts.ledger(), *self.rows]
        self._credits = file.credits
        self._protections = file.protections
        self.in_force = cache(self._in_force)
        self.state = cache(self._state)

    def sellers(self) -> list[str]:
        return sorted(self.facts.sellers() | {row.seller_id for row in self.rows})

    def buckets(self, seller_id: str, at: Evaluation) -> Buckets:
        return self.state(at.as_of, at.day).get(seller_id, {})

    def standing(self, seller_id: str, as_of: int, policy: ScorePolicy) -> Standing:
        return standing(
            partial(self.buckets, seller_id),
            as_of,
            [_lot(row) for row in self._credits if row.seller_id == seller_id],
            [_protection(row) for row in self._protections if row.seller_id == seller_id],
            policy,
        )

    def _in_force(self, as_of: int, day: int) -> tuple[Fact, ...]:
        return tuple(self.facts.in_force(as_of, day))

    def _state(self, as_of: int, day: int) -> BucketState:
        return merge([fold(self.in_force(as_of, day)), sum_rows(self.rows, as_of, day)])


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryFacts:
    """A query with what answers it."""

    case: Case
    query: Query
    buckets: Buckets
    facts: Sequence[Fact]
    score: SellerScore


def expectations(file: CaseFile) -> Iterator[Expectation]:
    """Every value that the case expects, beside the computed one."""
    case = Case(file)
    for number, query in enumerate(file.queries):
        known = _facts_for(case, query)
        where = f"queries[{number}] {query.seller_id}"
        yield from compare(where, query.expect, _answer(known))
        # What a ledger says must be what the facts say, whatever a file expects.
        from_rows = state_sha256(sum_rows(case.ledger, query.as_of, query.day))
        from_facts = state_sha256(case.state(query.as_of, query.day))
        yield f"{where}.state of the ledger", from_facts, from_rows
    if file.what_if is not None and file.draft is not None:
        yield from compare("what_if", file.what_if.expect, _what_if(case, file.what_if, file.draft))


def compare(where: str, expected: object, computed: object) -> Iterator[Expectation]:
    """The values of two JSON objects side by side; fields that are not expected are not asked."""
    if isinstance(expected, dict) and isinstance(computed, dict):
        whole, found = cast("dict[str, Any]", expected), cast("dict[str, Any]", computed)
        if where.rpartition(".")[2] in COMPLETE:
            yield f"{where} (names)", sorted(whole), sorted(found)
        for name, value in whole.items():
            yield from compare(f"{where}.{name}", value, found.get(name, "not computed"))
    else:
        yield where, expected, computed


def fact_of(row: FactRow) -> Fact:
    return Fact(
        row.seller_id,
        row.dimension,
        row.entity_id,
        row.version,
        row.day,
        row.weight_milli,
        row.k,
        row.recorded_at,
        row.reasons,
    )


def _facts_for(case: Case, query: Query) -> QueryFacts:
    buckets = case.buckets(query.seller_id, Evaluation(query.as_of, query.day))
    facts = case.in_force(query.as_of, query.day)
    return QueryFacts(
        case=case,
        query=query,
        buckets=buckets,
        facts=[fact for fact in facts if fact.seller_id == query.seller_id],
        score=read(buckets, query.day, case.policy),
    )


def _answer(known: QueryFacts) -> dict[str, Any]:
    query, score, expect = known.query, known.score, known.query.expect
    answer: dict[str, Any] = {
        "score_micro": score.score_micro,
        "rated": score.is_rated,
        "recent_milli": score.recent_milli,
        "band_if_evaluated_now": band(score),
        "dimensions": {each.rules.name: _dimension(each) for each in score.dimensions},
        "overall_stars_micro": score.overall_stars_micro,
        "parts_micro": score.parts_micro,
        "state_sha256": state_sha256(known.case.state(query.as_of, query.day)),
        "excluded": [[f.entity_id, f.dimension, list(f.reasons)] for f in excluded(known.facts)],
    }
    if query.day == day_of(query.as_of):
        answer |= _level(known.case.standing(query.seller_id, query.as_of, known.case.policy))
    if "shares" in expect:
        answer["shares"] = _shares(known)
    if "raise" in expect:
        answer["raise"] = _raise(score)
    if "score_without_micro" in expect:
        answer["score_without_micro"] = {
            entity: read_without(
                known.buckets, known.facts, entity, query.day, score.policy
            ).score_micro
            for entity in query.without or expect["score_without_micro"]
        }
    return answer


def _dimension(score: DimensionScore) -> dict[str, Any]:
    sums = score.sums
    return {
        "n_milli": score.n_milli,
        "weeks": score.weeks,
        "cap_2000": score.cap_2000,
        "N": str(sums.n),
        "S1": str(sums.s1),
        "S2": str(sums.s2),
        "Q": str(sums.q),
        "decayed_milli": score.decayed_milli,
        "evidence_milli": score.evidence_milli,
        "mean_nano": score.mean_nano,
        "se_nano": score.se_nano,
        "lcb_nano": score.lcb_nano,
        "mean_micro": score.mean_micro,
        "lcb_micro": score.lcb_micro,
        "display_micro": score.display_micro,
    }


def _level(found: Standing) -> dict[str, Any]:
    level = found.level
    return {
        "evaluations": list(level.evaluations),
        "base_level": level.base,
        "credit": level.balance,
        "credit_level": level.credit.name,
        "real_level": level.real,
        "public_level": level.public,
    }


def _shares(known: QueryFacts) -> dict[str, Any]:
    explained = explain(known.buckets, known.facts, known.score)
    return {name: _printed(found) for name, found in explained.items() if found.shares}


def _printed(found: DimensionExplanation) -> dict[str, Any]:
    events = {share.fact.entity_id: share.printed_micro for share in found.shares}
    return {
        "total_micro": found.total_micro,
        "events": events,
        "events_subset": events,
    }


def _raise(score: SellerScore) -> dict[str, Any] | None:
    found = what_would_raise(score)
    if found is None:
        return None
    return {"goal": found.goal, "five_star_reviews": found.five_star_reviews}


def _what_if(case: Case, asked: WhatIf, draft_data: dict[str, Any]) -> dict[str, Any]:
    draft = policy_from(draft_data)
    state = case.state(asked.as_of, day_of(asked.as_of))
    report = impact_report(
        (
            impact(
                seller,
                case.standing(seller, asked.as_of, case.policy),
                case.standing(seller, asked.as_of, draft),
            )
            for seller in state
        ),
        draft=draft,
    )
    return {
        "sellers": report.sellers,
        "up": report.up,
        "down": report.down,
        "rated_changed": report.rated_changed,
        "sum_abs_delta_micro": report.sum_abs_delta_micro,
        "max_abs_delta_micro": report.max_abs_delta_micro,
        "matrix": report.matrix,
        "draft_is_monotone": report.draft_is_monotone,
        "warnings": list(report.warnings),
        "rows": [
            {
                "seller_id": row.seller_id,
                "score_before_micro": row.score_before_micro,
                "score_after_micro": row.score_after_micro,
                "delta_micro": row.delta_micro,
                "level_before": row.level_before,
                "level_after": row.level_after,
            }
            for row in report.rows
        ],
    }


def _ledger_row(row: SumRow) -> LedgerRow:
    sums = (row.n, row.wk, row.wkk, row.ww)
    return LedgerRow(
        row.seller_id, row.dimension, "", 0, row.day, row.recorded_at, *sums, (), NOWHERE
    )


def _lot(row: CreditRow) -> CreditLot:
    return CreditLot(
        entity_id=row.entity_id,
        version=row.version,
        from_=row.from_,
        until=row.until,
        points=row.points,
        recorded_at=row.recorded_at,
    )


def _protection(row: ProtectionRow) -> Protection:
    return Protection(
        entity_id=row.entity_id,
        version=row.version,
        from_=row.from_,
        until=row.until,
        level=row.level,
        recorded_at=row.recorded_at,
    )
