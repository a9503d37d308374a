"""Whatever happens to orders, disputes, inquiries, returns and accounts, in whatever order it is
told: what is known of everybody is the same, at every instant.
"""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from reputation_service.domain.account import ScoredAccount
from reputation_service.domain.facts import micros
from reputation_service.domain.fold import Facts, fold, state_sha256, sum_rows
from reputation_service.domain.observations import observe
from reputation_service.domain.policy import DEFAULT
from reputation_service.domain.replay import Replayed
from reputation_service.testing.histories import History, dice, happens, history, interleaved
from shared_events.envelope import Recorded

seeds = st.integers(0, 10_000)


def known_from(told: Sequence[Recorded[Any]]) -> Replayed:
    known = Replayed(DEFAULT.sla)
    for recorded in told:
        known.take(recorded)
    return known


def told_of(known: Replayed, as_of: int) -> dict[str, tuple[Any, ...]]:
    """All that is shown of each account."""
    return {each.seller_id: shown(each) for each in known.accounts(as_of, DEFAULT)}


def shown(account: ScoredAccount) -> tuple[Any, ...]:
    standing = account.standing(DEFAULT)
    return account.state_sha256, standing.score, standing.level


def some_twice(told: History, seed: int) -> History:
    chance = dice(seed)
    again = [recorded for recorded in told if happens(20, chance)]
    return [*interleaved(told, chance), *again]


@given(seeds, seeds)
@settings(max_examples=20, deadline=None)
async def test_topics_that_come_in_any_order_and_twice_say_the_same_of_everybody(
    seed: int, another: int
) -> None:
    told = await history(seed, orders=12)
    once, again = known_from(told), known_from(some_twice(told, another))
    for as_of in [micros(each.recorded_at) for each in told[::9]]:
        assert told_of(once, as_of) == told_of(again, as_of)


@given(seeds)
@settings(max_examples=20, deadline=None)
async def test_an_answer_for_a_past_instant_is_the_fold_of_what_was_recorded_by_then(
    seed: int,
) -> None:
    told = await history(seed, orders=12)
    all_of_it = known_from(told)
    for at in told[::7]:
        by_then = [each for each in told if each.recorded_at <= at.recorded_at]
        as_of = micros(at.recorded_at)
        assert told_of(all_of_it, as_of) == told_of(known_from(by_then), as_of)


@given(seeds)
@settings(max_examples=20, deadline=None)
async def test_the_rows_of_the_ledger_add_up_to_the_fold_at_every_instant(seed: int) -> None:
    told = await history(seed, orders=12)
    facts = Facts(fact for recorded in told for fact in observe(recorded, DEFAULT.sla))
    rows = list(facts.ledger())
    for as_of in [micros(each.recorded_at) for each in told[::5]]:
        folded = fold(facts.in_force(as_of))
        assert state_sha256(sum_rows(rows, as_of)) == state_sha256(folded)


@given(seeds)
@settings(max_examples=20, deadline=None)
async def test_what_happens_to_an_account_moves_no_mean(seed: int) -> None:
    """R10: a lot, its reversal, a credit and a protection change levels alone."""
    told = await history(seed, orders=12)
    without = [each for each in told if each.topic != "reputation.events"]
    assert len(without) < len(told)
    as_of = micros(told[-1].recorded_at)
    for account in known_from(told).accounts(as_of, DEFAULT):
        bare = next(
            each
            for each in known_from(without).accounts(as_of, DEFAULT)
            if each.seller_id == account.seller_id
        )
        assert account.standing(DEFAULT).score == bare.standing(DEFAULT).score
