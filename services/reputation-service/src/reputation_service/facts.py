"""Rows in, what is known of people besides the streams of their accounts and cases out."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec
from msgspec import Struct
from shared_runtime.log import Database
from shared_runtime.rows import columns, grouped

from reputation_service.domain.account_timers import Period
from reputation_service.domain.case_opening import OpenCase
from reputation_service.domain.known import ClaimFacts, Known
from reputation_service.domain.points_policy import Policies
from reputation_service.matters import STANDING, AccountRow, CaseRow, holder

CONFIRMED = ("CONFIRMED", "APPEALED")
"""A violation counts as long as no appeal has reversed it."""


class PersonOrg(Struct, frozen=True, kw_only=True):
    person: str
    org_id: str


class OpenMatter(Struct, frozen=True, kw_only=True):
    person: str
    matter_id: str


class KnownRows(Struct, frozen=True, kw_only=True):
    """The answer of `READ`."""

    accounts: list[AccountRow] | None = None
    cases: list[CaseRow] | None = None
    orgs: list[PersonOrg] | None = None
    open: list[OpenMatter] | None = None


decode_known = msgspec.json.Decoder(KnownRows).decode

READ = """
    SELECT json_build_object(
        'accounts', (SELECT json_agg(told) FROM facts.account AS told WHERE person = ANY($1)),
        'cases', (SELECT json_agg(told ORDER BY case_id)
                  FROM facts.violation_case AS told WHERE person = ANY($1)),
        'orgs', (SELECT json_agg(told) FROM facts.person_org AS told WHERE person = ANY($1)),
        'open', (SELECT json_agg(json_build_object('person', person, 'matter_id', matter_id))
                 FROM (
                    SELECT person, matter_id FROM unnest($1::text[]) AS person
                    JOIN facts.open_matter ON seller_id = substr(person, 8)
                    WHERE person LIKE 'seller:%'
                    UNION ALL
                    SELECT person, matter_id FROM unnest($1::text[]) AS person
                    JOIN facts.open_matter ON buyer_id = substr(person, 7)
                    WHERE person LIKE 'buyer:%') AS told)
    )::text
"""
CLAIMS = """
    SELECT asked.buyer_id, since, until,
        (SELECT count(*) FROM facts.lost_claim AS lost
         WHERE lost.buyer_id = asked.buyer_id AND closed_at > since AND closed_at <= until),
        (SELECT count(*) FROM facts.sold
         WHERE sold.buyer_id = asked.buyer_id AND placed_at > since AND placed_at <= until)
    FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS asked (buyer_id, since, until)
"""
PERIOD = """
    SELECT
        (SELECT count(*) FROM facts.sold
         WHERE seller_id = $1 AND completed_at >= $2 AND completed_at < $3),
        (SELECT count(*) FROM facts.violation_case
         WHERE person = 'seller:' || $1 AND status = ANY($4)
            AND confirmed_at > $2 AND confirmed_at <= $3)
"""


class FactsOf(Struct, frozen=True, kw_only=True):
    """What other streams tell of one person."""

    person: str
    account: AccountRow | None = None
    cases: tuple[CaseRow, ...] = ()
    orgs: frozenset[str] = frozenset()
    open_ids: frozenset[str] = frozenset()

    @property
    def waits(self) -> bool:
        """An erasure was asked for, and is deferred."""
        return self.account is not None and self.account.waits

    def known(
        self,
        policies: Policies,
        now: datetime,
        *,
        said: Struct | None = None,
        case_id: str | None = None,
        claims: ClaimFacts | None = None,
    ) -> Known:
        """What a decision needs to know. `case_id`: the case that a suspension is asked for by."""
        open_cases = [each for each in self.cases if each.is_open(now)]
        account = self.account
        told = claims or ClaimFacts()
        warned = account is not None and account.warned
        return Known(
            policies=policies,
            party_orgs=self.orgs | {self.person.partition(":")[2]},
            erased=account is not None and account.erased,
            is_safety_case=any(
                each.case_id == case_id and each.safety and each.status in STANDING
                for each in self.cases
            ),
            open_ids=self.open_ids | {each.case_id for each in open_cases},
            open_until=min(
                (each.appeal_until for each in open_cases if each.appeal_until), default=None
            ),
            has_account=account is not None,
            claimed_by=self.claimed_by(said) if isinstance(said, OpenCase) else None,
            claims=ClaimFacts(lost=told.lost, orders=told.orders, warned=warned),
        )

    def claimed_by(self, said: OpenCase) -> str | None:
        """The case that there is of this cause."""
        cause = (said.rule, said.cause_key)
        return next(
            (each.case_id for each in self.cases if (each.rule, each.cause_key) == cause), None
        )


class OfPerson(Protocol):
    @property
    def person(self) -> str: ...


async def read_facts(persons: Collection[str], db: Database) -> Mapping[str, FactsOf]:
    """What is known of each of these people."""
    if not persons:
        return {}
    told = decode_known(await db.fetchval(READ, [*persons]))
    accounts = {each.person: each for each in told.accounts or ()}
    cases = grouped(told.cases, by_person)
    orgs, matters = grouped(told.orgs, by_person), grouped(told.open, by_person)
    return {
        who: FactsOf(
            person=who,
            account=accounts.get(who),
            cases=cases.get(who, ()),
            orgs=frozenset(each.org_id for each in orgs.get(who, ())),
            open_ids=frozenset(each.matter_id for each in matters.get(who, ())),
        )
        for who in persons
    }


def by_person(row: OfPerson) -> str:
    return row.person


class Span(NamedTuple):
    """The time that counts of a buyer at an instant, `until`."""

    buyer_id: str
    since: datetime
    until: datetime


def span_at(buyer_id: str, now: datetime, policies: Policies) -> Span:
    return Span(buyer_id, now - policies.in_force(now).case_false_claims_span, now)


async def read_claims(spans: Collection[Span], db: Database) -> Mapping[Span, ClaimFacts]:
    """What was claimed without ground in each, and how much was ordered."""
    if not spans:
        return {}
    rows = await db.fetch(CLAIMS, *columns([*spans], 3))
    return {Span(*of): ClaimFacts(lost=lost, orders=orders) for *of, lost, orders in rows}


async def read_period(seller_id: str, since: datetime, until: datetime, db: Database) -> Period:
    """What a seller did in a period of conduct. The violation that it began with is none in it."""
    row = await db.fetchrow(PERIOD, seller_id, since, until, [*CONFIRMED])
    assert row is not None
    return Period(orders_completed=row[0], violations=row[1])


def account_person(said: OpenCase) -> str:
    return holder(said.account_kind, said.account_id)
