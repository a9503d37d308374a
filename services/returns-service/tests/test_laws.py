"""What no history of a ledger can break: whoever asks for what, and whatever a provider says."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from returns_service.domain.bouncing import BounceRefund
from returns_service.domain.failing import RetryRefund
from returns_service.domain.ledger_rules import LEDGERS, LedgerCommand
from returns_service.domain.ledger_state import Ledger, LedgerState, Refund
from returns_service.domain.ledger_timers import asked_of_ledger, ledger_deadlines
from returns_service.domain.outside import UndoOutsideRefund
from returns_service.domain.requesting import RequestRefund
from returns_service.domain.resolving import ResolveRefund
from returns_service.testing import (
    AGENT,
    HOUR,
    NOW,
    SELLER,
    SYSTEM,
    asks,
    charged_back,
    goodwill,
    ledger_after,
    line,
    not_paid,
    opened,
    order,
    paid,
    refused,
    reissue,
    remedy,
    replaced,
    say,
    timed_out,
)
from shared_casework.money import ENDS_A_UNIT
from shared_events.registry import decode_data, encode_data, tag_of
from shared_events.returns import (
    OutsideRefundRecorded,
    OutsideRefundUndone,
    RefundBounced,
    RefundEvent,
    RefundFailed,
    RefundIssued,
    RefundLedgerOpened,
    RefundOverpaid,
    RefundRequested,
    RefundSettled,
    UnitsReplaced,
)
from shared_runtime.decider import Actor, Refused

OF = order(line("1", 2, 1250), line("2", 1, 799), line("3", 1, 0), discount=500, shipping=490)
PIECES = ("1/1", "1/2", "2/1", "3/1", "1/1.r1", "2/1.r1")
RUNS = 1_000


class Act(Struct, frozen=True):
    """Somebody does one of the things that can be done, about some refund and some pieces."""

    what: int
    which: int
    pieces: frozenset[str]
    amount: int
    fault: bool


class Life(Struct, frozen=True):
    """What was sent, and what came of it, with the ledger before each event."""

    sent: tuple[LedgerCommand, ...]
    events: tuple[RefundEvent, ...]
    state: LedgerState

    @property
    def ledger(self) -> Ledger:
        assert isinstance(self.state, Ledger)
        return self.state


acts = st.lists(
    st.builds(
        Act,
        what=st.integers(0, 21),
        which=st.integers(0, 30),
        pieces=st.frozensets(st.sampled_from(PIECES), min_size=1, max_size=4),
        amount=st.sampled_from([0, 1, 300, 700, 1060, 2000, 4000]),
        fault=st.booleans(),
    ),
    min_size=4,
    max_size=30,
)


def commands_of(act: Act, ledger: Ledger, number: int) -> tuple[Struct, Actor]:
    """What is said, and by whom. A refund that is spoken of is one of the ledger's, if it has any;
    a provider may say of it whatever it likes.
    """
    new = f"f-{number}"
    known = [*ledger.refunds] or ["f-0"]
    old = known[act.which % len(known)]
    attempt = ledger.refunds[old].attempt if old in ledger.refunds else 1
    outside = [*ledger.outside] or ["cb-0"]
    gone = outside[act.which % len(outside)]
    pieces = sorted(act.pieces)
    source_id = f"RT-{act.which % 3}"
    remedy_id = f"D-{act.which % 3}"
    amount, fault = act.amount, act.fault
    whole = {"source_id": source_id, "seller_at_fault": fault}
    partial = {"amount_minor": amount, "outcome": "REFUND_PARTIAL", "remedy_id": remedy_id}
    difference = amount if fault else 0
    of_system: list[Struct] = [
        asks(new, *pieces, **whole, label_cost_minor=amount),
        asks(new, *pieces, **whole, deduction_milli=amount % 501),
        asks(new, *pieces, **whole, source="WITHDRAWAL"),
        asks(new, *pieces, **whole, source="OFFER", amount_minor=amount),
        asks(new, *pieces, **whole, source="EXCHANGE_FALLBACK", difference_minor=difference),
        asks(new, *pieces, source="CANCELLATION", source_id="O1"),
        remedy(new, *pieces, remedy_id=remedy_id, seller_at_fault=fault),
        remedy(new, *pieces, **partial),
        asks(new, *pieces, **whole, outside_id=gone),
        asked_anew(new, ledger.refunds[old]) if old in ledger.refunds else asks(new, *pieces),
        paid(old),
        refused(old, attempt),
        not_paid(old, attempt),
        timed_out(old, attempt),
        RetryRefund(refund_id=old),
        BounceRefund(refund_id=old, code="CLOSED"),
        charged_back(f"cb-{number}", amount, *(pieces if fault else ())),
        UndoOutsideRefund(outside_id=gone),
        replaced(pieces[0], difference=amount if fault else -amount),
    ]
    if act.what < len(of_system):
        return of_system[act.what], SYSTEM
    in_person: list[tuple[Struct, Actor]] = [
        (goodwill(new, amount), SELLER),
        (reissue(new, old), AGENT),
        (ResolveRefund(refund_id=old, paid=fault, proof_ref=f"desk-{number}"), AGENT),
    ]
    return in_person[act.what - len(of_system)]


def asked_anew(refund_id: str, stopped: Refund) -> RequestRefund:
    """What asked for a refund that the gateway has stopped asks again."""
    told = stopped.requested
    return asks(
        refund_id,
        *(each.unit for each in told.units),
        source="RETURN" if told.source == "GOODWILL" else told.source,
        source_id=told.source_id,
        remedy_id=told.remedy_id,
        reissues=told.refund_id,
    )


def lived(doing: Sequence[Act]) -> Life:
    first = opened(OF)
    events = LEDGERS.decide(LEDGERS.initial, first)
    state = LEDGERS.fold(events)
    sent: list[LedgerCommand] = []
    now = NOW
    for number, act in enumerate(doing, 1):
        assert isinstance(state, Ledger)
        now += HOUR * act.which
        said, actor = commands_of(act, state, number)
        command = say(said, now, actor, order=OF)
        try:
            came = LEDGERS.decide(state, command)
        except Refused:
            continue
        if came:
            sent.append(command)
        events += came
        for event in came:
            state = LEDGERS.evolve(state, event)
    return Life(tuple(sent), tuple(events), state)


def prefixes(life: Life) -> Iterator[tuple[Ledger, RefundEvent, Ledger]]:
    """Each event, with the ledger before and after it."""
    first, *others = life.events
    state = LEDGERS.evolve(LEDGERS.initial, first)
    for event in others:
        after = LEDGERS.evolve(state, event)
        assert isinstance(state, Ledger)
        assert isinstance(after, Ledger)
        yield state, event, after
        state = after


def no_more_goes_out_than_came_in_but_what_is_named(life: Life) -> None:
    """Counted from the events alone: law 22."""
    came_in = named = 0
    out: Counter[str] = Counter()
    for event in life.events:
        match event:
            case RefundLedgerOpened(total_minor=total):
                came_in = total
            case UnitsReplaced(pairs=pairs):
                came_in += sum(pair.added_minor for pair in pairs)
            case RefundIssued(refund_id=given_id, total_minor=total):
                # A difference was paid besides, and is of no ceiling.
                out[given_id] = total - (event.difference_minor or 0)
            case OutsideRefundRecorded(outside_id=given_id, total_minor=total):
                out[given_id] = total
            case RefundBounced(refund_id=given_id) | OutsideRefundUndone(outside_id=given_id):
                del out[given_id]
            case RefundOverpaid(amount_minor=amount):
                named += amount
            case _:
                continue
        if not isinstance(event, RefundIssued | OutsideRefundRecorded):
            assert out.total() <= came_in + named
    assert out.total() <= came_in + named


def nothing_is_asked_that_is_not_left_and_what_remains_is_told_right(life: Life) -> None:
    """Law 22: of every prefix, of each unit, of shipping and of the order."""
    for before, event, after in prefixes(life):
        left = before.remaining
        assert min([*after.remaining.units.values(), after.remaining.order_minor]) >= 0
        if isinstance(event, RefundRequested):
            assert all(each.amount_minor <= left.units[each.unit] for each in event.units)
            assert event.shipping_minor <= left.shipping_minor
            parts = event.shipping_minor + event.goodwill_minor
            parts += sum(each.amount_minor for each in event.units)
            assert parts <= left.order_minor
            assert event.total_minor == parts + (event.difference_minor or 0)
            clipped = event.clipped_from_minor
            assert clipped is None or clipped > event.total_minor
        if isinstance(
            event,
            RefundRequested
            | RefundIssued
            | RefundBounced
            | OutsideRefundRecorded
            | OutsideRefundUndone,
        ):
            assert event.remaining_minor == after.remaining.order_minor
        if isinstance(event, RefundIssued | RefundBounced):
            assert event.refunded_total_minor == after.refunded_minor


def each_refund_is_settled_once_and_issued_with_it(life: Life) -> None:
    """Law 23."""
    settled = [each.refund_id for each in life.events if isinstance(each, RefundSettled)]
    assert len(set(settled)) == len(settled)
    for number, event in enumerate(life.events):
        if isinstance(event, RefundSettled):
            issued = life.events[number + 1]
            assert isinstance(issued, RefundIssued)
            assert issued.refund_id == event.refund_id
        if isinstance(event, RefundBounced):
            earlier = life.events[:number]
            assert any(
                isinstance(each, RefundSettled) and each.refund_id == event.refund_id
                for each in earlier
            )
        if isinstance(event, RefundFailed) and event.kind == "UNKNOWN":
            assert event.final == (event.proof_ref is not None)
    assert len([each for each in life.events if isinstance(each, RefundIssued)]) == len(settled)


def what_came_back_is_refunded_once(life: Life) -> None:
    """Law 26: another refund of the same goods comes of its reissue, or of money taken back."""
    paid_for: Counter[str] = Counter()
    for event in life.events:
        if isinstance(event, RefundRequested) and event.source in ENDS_A_UNIT:
            if event.reissues or event.outside_id:
                continue
            paid_for.update(each.unit for each in event.units if each.amount_minor)
    assert all(times == 1 for times in paid_for.values())


def a_refund_is_reissued_once_and_what_is_paid_of_two_is_named(life: Life) -> None:
    """Law 36."""
    reissued = Counter(
        each.reissues for each in life.events if isinstance(each, RefundRequested) and each.reissues
    )
    assert all(times == 1 for times in reissued.values())
    named = [frozenset(each.refund_ids) for each in life.events if isinstance(each, RefundOverpaid)]
    refunds = life.ledger.refunds
    for refund_id, refund in refunds.items():
        first = refund.requested.reissues
        if first and both_are_out(refund, refunds[first]):
            assert any({refund_id, first} <= each for each in named)


def both_are_out(*refunds: Refund) -> bool:
    return all(each.status == "SETTLED" and each.total_minor for each in refunds)


def whatever_was_said_adds_nothing_when_it_is_said_again(life: Life) -> None:
    """Law 4, and 1: the history told again leads to the same ledger."""
    for command in life.sent:
        if isinstance(command.said, RetryRefund):
            continue  # by now it may be about another attempt, whose time has come
        try:
            again = LEDGERS.decide(life.state, command)
        except Refused:
            continue
        assert again == [], command.said
    copied = [decode_data(tag_of(event), encode_data(event)) for event in life.events]
    assert LEDGERS.fold(cast("list[RefundEvent]", copied)) == life.state


def a_deadline_is_met_once(life: Life) -> None:
    for deadline in ledger_deadlines(life.state):
        fire = say(asked_of_ledger(*deadline), deadline.due, order=OF)
        early = fire.at(deadline.due - HOUR)
        assert LEDGERS.decide(life.state, early) == []
        state = life.state
        for event in LEDGERS.decide(state, fire):
            state = LEDGERS.evolve(state, event)
        assert state != life.state
        assert LEDGERS.decide(state, fire) == []
        assert deadline not in ledger_deadlines(state)


LAWS = (
    no_more_goes_out_than_came_in_but_what_is_named,
    nothing_is_asked_that_is_not_left_and_what_remains_is_told_right,
    each_refund_is_settled_once_and_issued_with_it,
    what_came_back_is_refunded_once,
    a_refund_is_reissued_once_and_what_is_paid_of_two_is_named,
    whatever_was_said_adds_nothing_when_it_is_said_again,
    a_deadline_is_met_once,
)


@settings(max_examples=RUNS)
@given(acts)
def test_no_history_breaks_a_law(doing: list[Act]) -> None:
    life = lived(doing)
    for law in LAWS:
        law(life)


@st.composite
def groupings(draw: st.DrawFn) -> list[RequestRefund]:
    """All pieces, in any order and any grouping, each with a reason of its own."""
    pieces = draw(st.permutations(PIECES[:4]))
    at_fault = draw(st.sets(st.sampled_from(pieces)))
    cuts = sorted(draw(st.sets(st.integers(1, 3))))
    groups = [pieces[a:b] for a, b in zip([0, *cuts], [*cuts, 4], strict=True)]
    return [
        asks(
            f"f-{number}",
            *group,
            source_id=f"RT-{number}",
            seller_at_fault=not at_fault.isdisjoint(group),
        )
        for number, group in enumerate(groups)
    ]


@given(groupings())
def test_all_that_is_returned_gives_the_same_in_any_order(said: list[RequestRefund]) -> None:
    """Law 24."""
    ledger = ledger_after(opened(OF), *(say(each, NOW, SYSTEM, order=OF) for each in said))
    asked = sum(refund.total_minor for refund in ledger.refunds.values())
    brings_shipping = any(each.seller_at_fault for each in said)
    assert asked == OF.total_minor - (0 if brings_shipping else OF.shipping_minor)
