"""A refund that the provider pays twice by mistake: whichever payment comes back, and in whatever
order that is heard, nobody is paid once more for it, and nobody is forgotten.
"""

from random import Random
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace
from returns_service.connectors.payments import PAID_BEFORE, SEND, STOP, tell, word_for
from returns_service.connectors.words import Hearing, answered
from returns_service.domain.bouncing import BounceRefund
from returns_service.domain.confirming import ConfirmRefund
from returns_service.domain.failing import RetryRefund
from returns_service.domain.ledger_state import TO_REISSUE, Ledger, Refund
from returns_service.domain.resolving import ResolveRefund
from returns_service.domain.stopping import UNDER_WAY, to_stop
from returns_service.ports.line import Unknown
from returns_service.ports.payment import (
    WEIGHTIEST,
    Absent,
    AskedRefund,
    Looked,
    Paid,
    PaymentPort,
    TheirRefund,
    word_about,
)
from returns_service.testing import (
    AGENT,
    HOUR,
    ORDER_A,
    SYSTEM,
    asks,
    history,
    kinds,
    played,
    refused,
    reissue,
    say,
    timed_out,
)
from returns_service.testing.order_log import LEDGER, POLICIES, OrderLog
from returns_service.testing.order_world import at_once
from returns_service.testing.stories import REQUESTED
from shared_events.returns import RefundBounced, RefundSettled
from shared_runtime.errands import Errand

PAID_A = say(ConfirmRefund(refund_id="f-1", gateway_ref="re_a"))
PAID_B = say(ConfirmRefund(refund_id="f-1", gateway_ref="re_b"))
A_IS_BACK = say(BounceRefund(refund_id="f-1", gateway_ref="re_a", code="CLOSED"))
B_IS_BACK = say(BounceRefund(refund_id="f-1", gateway_ref="re_b", code="CLOSED"))
ONE_IS_BACK = say(BounceRefund(refund_id="f-1", code="CLOSED"))
BY_PROOF = (
    say(timed_out("f-1")),
    say(ResolveRefund(refund_id="f-1", paid=True, proof_ref="desk-1"), actor=AGENT),
)


# --- By itself, what the ledger makes of it


def test_i19_the_second_payment_that_comes_back_leaves_the_refund_paid() -> None:
    """Given a refund that is paid twice, when the second payment bounces, then nothing is owed."""
    played(B_IS_BACK, after=history(*REQUESTED, PAID_A, PAID_B)).then_nothing()


def test_the_first_payment_that_comes_back_is_the_refund() -> None:
    for before in ((), (PAID_B,), (PAID_B, B_IS_BACK)):
        done = played(A_IS_BACK, after=history(*REQUESTED, PAID_A, *before)).events
        (bounced,) = cast("list[RefundBounced]", done)
        assert (bounced.refund_id, bounced.gateway_ref) == ("f-1", "re_a")


def test_where_nobody_names_a_payment_it_is_the_refund_that_came_back() -> None:
    """As of a gateway that has no names for its payments."""
    done = played(ONE_IS_BACK, after=history(*REQUESTED, PAID_A, PAID_B)).events
    assert kinds(done) == ["RefundBounced"]


def test_of_what_the_desk_has_told_any_payment_may_be_the_one() -> None:
    """Given the word of the provider's people, whose reference names no payment."""
    told = history(*REQUESTED, *BY_PROOF)
    for back in (A_IS_BACK, B_IS_BACK):
        assert kinds(played(back, after=told).events) == ["RefundBounced"]


def test_what_settled_before_words_had_senders_bounces_as_it_did() -> None:
    told = [
        replace(each, told_by=None) if isinstance(each, RefundSettled) else each
        for each in history(*REQUESTED, PAID_A)
    ]
    assert kinds(played(B_IS_BACK, after=told).events) == ["RefundBounced"]


# --- With the provider's book beside it


class Book(Struct):
    """A provider's, asked as its port is: what it has made of refunds, and all that it tells."""

    made: list[TheirRefund] = []
    told: list[TheirRefund] = []
    silent: bool = False

    @property
    def paid(self) -> list[TheirRefund]:
        """What the buyer has."""
        return [each for each in self.made if each.status == "PAID"]

    def pays(self, reference: str, status: Any = "PAID") -> TheirRefund:  # noqa: ANN401
        told = TheirRefund(
            id=f"re_{len(self.made)}",
            reference=reference,
            order_ref="O1",
            amount_minor=5399,
            currency="EUR",
            status=status,
        )
        self.made.append(told)
        self.told.append(told)
        return told

    def gets_back(self, number: int) -> None:
        self.becomes(number, "PAID", "BOUNCED")

    def becomes(self, number: int, before: str, status: Any) -> None:  # noqa: ANN401
        if self.made and (told := self.made[number % len(self.made)]).status == before:
            after = replace(told, status=status, code="ACCOUNT_CLOSED")
            self.made[number % len(self.made)] = after
            self.told.append(after)

    def ends(self) -> None:
        """Nothing is under way any more."""
        for number, each in enumerate(self.made):
            self.becomes(number, "PENDING", "PAID" if each.reference != "f-1" else "REFUSED")

    async def look(self, asked: AskedRefund) -> Looked:
        if self.silent:
            return Unknown(code="NO_ANSWER")
        named = [each for each in self.made if each.reference == asked.refund_id]
        if not named:
            return Absent()
        return word_about(asked, min(named, key=lambda one: WEIGHTIEST.index(one.status)))

    async def send(self, asked: AskedRefund) -> Looked:
        assert not self.paid, "the buyer is paid once more"
        return Paid(gateway_ref=self.pays(asked.refund_id).id)

    stop = look


class Shop:
    """One order with a refund that the provider was asked for, and everybody who has to do with it.
    No webhook is lost for ever.
    """

    def __init__(self) -> None:
        self.log = OrderLog(order=ORDER_A, rng=Random(1))
        self.log.open_ledger()
        self.log.to_ledger(asks("f-1", "1/1"), SYSTEM)
        self.book = Book(made=[], told=[])
        self.number = 1

    @property
    def ledger(self) -> Ledger:
        assert self.log.ledger
        return self.log.ledger

    @property
    def last(self) -> Refund:
        return [*self.ledger.refunds.values()][-1]

    def later(self) -> int:
        self.log.now += HOUR
        self.number += 1
        return self.number

    def hears(self, told: TheirRefund) -> None:
        heard = Hearing(
            cause=self.log.new_id(), purpose="webhook", now=self.log.now, policies=POLICIES
        )
        came = answered(self.log.decisions, told, heard)
        assert isinstance(came, int)

    def hears_all(self) -> None:
        for told in self.book.told:
            self.hears(told)

    def resolves(self) -> None:
        """What the provider's people say is so, once nothing is under way there."""
        if any(each.status == "PENDING" for each in self.book.made):
            return
        paid = any(each.reference == "f-1" for each in self.book.paid)
        proof = f"desk-{self.number}"
        self.log.to_ledger(ResolveRefund(refund_id="f-1", paid=paid, proof_ref=proof), AGENT)

    def tries(self) -> None:
        first = self.ledger.refunds["f-1"]
        again = RetryRefund(refund_id="f-1")
        said = again if first.status == "FAILED" else timed_out("f-1", first.attempt)
        self.log.to_ledger(said, SYSTEM)

    def reissues(self) -> None:
        for each in self.ledger.refunds.values():
            if each.is_owed and each.status in TO_REISSUE:
                self.log.to_ledger(reissue(f"f-{self.later()}", each.refund_id), AGENT)

    def works(self) -> None:
        """The worker turns to the last reissue; it may have set out before."""
        for each in self.ledger.refunds.values():
            if each.refund_id == "f-1" or each.status not in UNDER_WAY:
                continue
            errand = Errand(
                key=each.refund_id,
                stream=LEDGER,
                task=STOP if each.refund_id in to_stop(self.ledger) else SEND,
                cause=self.log.new_id(),
                tries=self.later(),
            )
            log, past = self.log, self.log.history(LEDGER)
            told = at_once(word_for(errand, past, cast("PaymentPort", self.book), log.now))
            tell(log.decisions, errand, told, now=log.now, policies=POLICIES)

    def does(self, what: int, which: int) -> None:
        self.later()
        match what:
            case 0 if sum(each.reference == "f-1" for each in self.book.made) < 3:
                self.book.pays("f-1", "PENDING" if which % 3 == 0 else "PAID")
            case 1:
                self.book.gets_back(which)
            case 8:
                self.book.becomes(which, "PENDING", "PAID")
            case 9:
                self.book.becomes(which, "PENDING", "REFUSED")
            case 2 | 3 if self.book.told:
                self.hears(self.book.told[which % len(self.book.told)])
            case 4:
                self.tries()
            case 5:
                self.resolves()
            case 6:
                self.reissues()
            case _:
                self.works()


def paid_twice() -> Shop:
    """Both payments are heard of."""
    shop = Shop()
    shop.book.pays("f-1")
    shop.book.pays("f-1")
    shop.hears_all()
    return shop


def test_a_reissue_waits_while_another_payment_of_what_bounced_is_with_the_buyer() -> None:
    """Given a refund that is paid twice, when the first payment bounces and the desk reissues it,
    then the reissue is not sent, and the desk is told why; once the second is back too, it is.
    """
    shop = paid_twice()
    shop.book.gets_back(0)
    shop.hears_all()
    assert shop.last.is_owed
    shop.reissues()
    shop.works()
    assert shop.last.failure
    assert (shop.last.status, shop.last.failure.code) == ("FAILED_FINAL", PAID_BEFORE)
    assert shop.last.is_owed
    shop.book.gets_back(1)
    shop.hears_all()
    shop.reissues()
    shop.works()
    assert [each.reference for each in shop.book.paid] == [shop.last.refund_id]
    assert shop.last.status == "SETTLED"


def test_a_reissue_of_what_bounced_waits_while_the_provider_does_not_say() -> None:
    shop = paid_twice()
    shop.book.gets_back(0)
    shop.hears_all()
    shop.reissues()
    shop.book.silent = True
    shop.works()
    assert shop.last.failure
    assert (shop.last.status, shop.last.failure.kind) == ("FAILED", "UNKNOWN")


def test_a_reissue_is_stopped_when_what_had_failed_was_paid_after_all() -> None:
    """Given a refund that the provider has refused and paid nevertheless, which nobody has heard,
    when its reissue is about to be sent, then the payment counts, and the reissue is stopped.
    """
    shop = Shop()
    shop.log.to_ledger(refused("f-1"), SYSTEM)
    shop.reissues()
    shop.book.pays("f-1")
    shop.works()
    assert shop.ledger.refunds["f-1"].status == "SETTLED"
    assert shop.last.failure
    assert (shop.last.status, shop.last.failure.code) == ("FAILED_FINAL", "STOPPED")
    assert shop.ledger.refunded_minor == 5399


def test_a_reissue_waits_while_the_provider_is_still_at_what_it_has_refused() -> None:
    """Given a refund that is there twice, one refused, the other under way."""
    shop = Shop()
    shop.book.pays("f-1", "PENDING")
    shop.book.pays("f-1", "REFUSED")
    shop.hears_all()
    shop.reissues()
    shop.works()
    assert (shop.last.status, len(shop.book.made)) == ("REQUESTED", 2)
    shop.book.becomes(0, "PENDING", "REFUSED")
    shop.works()
    assert (shop.last.status, len(shop.book.paid)) == ("SETTLED", 1)


def test_a_reissue_of_what_a_person_has_ended_waits_for_nobody() -> None:
    """Given the word of the provider's people that what is under way there is never paid."""
    shop = Shop()
    shop.tries()
    shop.resolves()
    shop.book.pays("f-1", "PENDING")
    shop.reissues()
    shop.works()
    assert shop.last.status == "SETTLED"


RUNS = 600
deeds = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=4, max_size=24)


@settings(max_examples=RUNS)
@given(deeds)
def test_i19_nobody_is_paid_once_more_and_nobody_is_forgotten(doing: list[tuple[int, int]]) -> None:
    """Whatever is paid, comes back, is heard and is decided in whatever order. That nobody is paid
    once more the book itself sees to.
    """
    shop = Shop()
    for what, which in doing:
        shop.does(what, which)
    shop.book.ends()
    shop.hears_all()
    if not shop.book.paid:
        assert any(each.is_owed for each in shop.ledger.refunds.values())
    if shop.ledger.refunds["f-1"].status not in UNDER_WAY:
        for _ in range(3):
            shop.reissues()
            shop.works()
        assert shop.book.paid
