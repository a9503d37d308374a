"""What a seller and the desk may give of their own accord."""

import pytest
from msgspec.structs import replace
from returns_service.domain.goodwill import AlreadyRefunded, GiveGoodwill
from returns_service.testing import (
    AGENT,
    BUYER,
    DAY,
    NOW,
    ORDER_A,
    SELLER,
    SENIOR,
    SYSTEM,
    asks,
    goodwill,
    history,
    ledger_after,
    opened,
    paid,
    played,
    refused,
    reissue,
    remedy,
    say,
)
from returns_service.testing.stories import ALL_GIVEN, OPEN
from shared_events.returns import RefundRequested
from shared_runtime.decider import (
    Actor,
    AmountExceedsCeiling,
    ConflictOfInterest,
    HumanRequired,
    InvalidValue,
    NotAParty,
    NotFound,
    RoleNotAllowed,
    SubjectErased,
    WrongState,
)

REASON = "LATE_ANSWER"


def test_a_seller_gives_of_no_unit_and_at_his_own_expense() -> None:
    played(say(goodwill("g-1", 500), NOW, SELLER), after=history(*OPEN)).then(
        RefundRequested(
            order_id="O1",
            seller_id="S1",
            buyer_id="B1",
            policy_version="ae-2025-1",
            refund_id="g-1",
            source="GOODWILL",
            source_id="g-1",
            way="ORIGINAL",
            borne_by="SELLER",
            units=[],
            currency="EUR",
            shipping_minor=0,
            goodwill_minor=500,
            label_cost_minor=0,
            total_minor=500,
            seller_at_fault=False,
            advance=False,
            remaining_minor=15698,
            overdue_at=NOW + 14 * DAY,
        )
    )


def test_he_gives_all_that_is_left_and_not_a_cent_more() -> None:
    """G05 and G06."""
    over = played(say(goodwill("g-1", 16199), NOW, SELLER), after=history(*OPEN))
    over.then_refused(AmountExceedsCeiling, ceiling_minor=16198, currency="EUR")
    ledger = ledger_after(*OPEN, say(goodwill("g-1", 16198), NOW, SELLER))
    assert ledger.remaining.order_minor == 0
    partial = remedy("f-1", "1/1", "1/2", "1/3", amount_minor=5000, outcome="REFUND_PARTIAL")
    rest = (*OPEN, say(partial), say(goodwill("g-1", 11198), NOW, SELLER))
    nothing = played(say(goodwill("g-2", 1), NOW, SELLER), after=history(*rest))
    nothing.then_refused(AlreadyRefunded, refund_ids=["f-1", "g-1"])


def test_the_same_goodwill_is_given_once_whatever_amount_is_said_again() -> None:
    given = history(*OPEN, say(goodwill("g-1", 500), NOW, SELLER))
    played(say(goodwill("g-1", 700), NOW, SELLER), after=given).then_nothing()


def test_the_desk_gives_at_the_platforms_expense_up_to_its_limit() -> None:
    for_all = history(*OPEN, say(goodwill("g-1", 4000, REASON), NOW, AGENT))
    (*_, given) = for_all
    assert isinstance(given, RefundRequested)
    assert (given.borne_by, given.reason) == ("PLATFORM", REASON)
    over = played(say(goodwill("g-2", 1001, REASON), NOW, SENIOR), after=for_all)
    over.then_refused(AmountExceedsCeiling, ceiling_minor=1000, currency="EUR")
    assert not played(say(goodwill("g-2", 1000, REASON), NOW, SENIOR), after=for_all).refused


def test_what_a_seller_gives_does_not_use_up_the_desks_limit() -> None:
    story = history(*OPEN, say(goodwill("g-1", 5000), NOW, SELLER))
    assert not played(say(goodwill("g-2", 5000, REASON), NOW, AGENT), after=story).refused


def test_what_failed_does_not_use_it_up_and_a_reissue_uses_it_up_once() -> None:
    failed = (*OPEN, say(goodwill("g-1", 5000, REASON), NOW, AGENT), say(refused("g-1")))
    again = say(goodwill("g-2", 5000, REASON), NOW, AGENT)
    assert not played(again, after=history(*failed)).refused
    reissued = (*failed, say(reissue("g-3", "g-1"), NOW, AGENT), say(paid("g-1")))
    played(again, after=history(*reissued)).then_refused(AmountExceedsCeiling, ceiling_minor=0)


def test_the_limit_is_in_the_reference_currency() -> None:
    """A hundred yen for one of it: 5000 and not yet 5001 are 500099 yen."""
    yen = replace(ORDER_A, total_ref_minor=161)
    story = history(opened(yen))
    for amount, taken in ((16198, True), (16199, False)):
        done = played(say(goodwill("g-1", amount, REASON), NOW, AGENT), after=story)
        assert (done.refused is None) == taken
    dear = replace(ORDER_A, total_ref_minor=1619800)
    story = history(opened(dear))
    over = played(say(goodwill("g-1", 51, REASON), NOW, AGENT), after=story)
    over.then_refused(AmountExceedsCeiling, ceiling_minor=50)
    free = replace(ORDER_A, total_ref_minor=0)
    done = played(say(goodwill("g-1", 16198, REASON), NOW, AGENT), after=history(opened(free)))
    assert done.refused is None


@pytest.mark.parametrize(
    ("said", "actor"),
    [
        (goodwill("g-1", 0), SELLER),
        (goodwill("g-1", 1, REASON), SELLER),
        (goodwill("g-1", 1), AGENT),
        (GiveGoodwill(refund_id="g-1", goodwill_minor=1000, currency="GBP"), SELLER),  # G19
    ],
)
def test_what_is_given_makes_sense(said: GiveGoodwill, actor: Actor) -> None:
    played(say(said, NOW, actor), after=history(*OPEN)).then_refused(InvalidValue)


def test_who_may_not_give() -> None:
    story = history(*OPEN)
    for actor, rule in (
        (BUYER, RoleNotAllowed),
        (SYSTEM, HumanRequired),
        (Actor(role="SYSTEM", id="x", on_behalf_of="SELLER"), HumanRequired),
        (Actor(role="SELLER", id="S2"), NotAParty),
    ):
        played(say(goodwill("g-1", 1), NOW, actor), after=story).then_refused(rule)
    involved = Actor(role="AGENT", id="a", org_id="acme")
    of_acme = say(goodwill("g-1", 1, REASON), NOW, involved, party_orgs=frozenset({"acme"}))
    played(of_acme, after=story).then_refused(ConflictOfInterest, ground="ORGANISATION")
    gone = say(goodwill("g-1", 1), NOW, SELLER, erased=True)
    played(gone, after=story).then_refused(SubjectErased)


def test_before_the_ledger_is_open_there_is_nothing_to_give_of() -> None:
    played(say(goodwill("g-1", 1), NOW, SELLER)).then_refused(WrongState, state="NONE")
    played(say(goodwill("g-1", 1), NOW, SELLER, order=None)).then_refused(NotFound)


def test_nothing_is_given_of_what_others_have_given_back() -> None:
    done = played(say(goodwill("g-2", 1), NOW, SELLER), after=history(*ALL_GIVEN))
    done.then_refused(AlreadyRefunded, refund_ids=["f-1", "g-1"])
    assert ledger_after(*OPEN, say(asks("f-1", "1/1"))).remaining.order_minor == 10799
