"""A day of the provider's book and what our ledgers say of it in, what each side knows out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from returns_service.connectors.words import asked_of
from returns_service.domain.ledger_state import Refund, RefundStatus
from returns_service.ports.payment import WEIGHTIEST, TheirRefund, is_the_same
from returns_service.queries.reconciliations import Report, ReportedRefund, TheirStatus

type Agreement = Literal["AGREED", "WAITING", "DIFFERENT"]

AGREED: Mapping[TheirStatus, frozenset[RefundStatus]] = {
    "PAID": frozenset({"SETTLED"}),
    "BOUNCED": frozenset({"BOUNCED"}),
    "REFUSED": frozenset({"FAILED_FINAL"}),
    "CANCELLED": frozenset({"FAILED_FINAL"}),
    "PENDING": frozenset(),
}
UNDER_WAY: frozenset[RefundStatus] = frozenset({"REQUESTED", "FAILED"})
PAID: frozenset[RefundStatus] = frozenset({"SETTLED", "BOUNCED"})


class Met(Struct, frozen=True, kw_only=True):
    """A refund that the provider lists, and ours after it was told; `news`: it did not know."""

    theirs: list[TheirRefund]
    ours: Refund | None
    news: bool


def by_reference(listed: Iterable[TheirRefund]) -> list[list[TheirRefund]]:
    """Those of one name together; the one that counts comes first."""
    named: dict[tuple[str, str], list[TheirRefund]] = {}
    for each in listed:
        named.setdefault((each.order_ref, each.reference), []).append(each)
    return [sorted(each, key=lambda one: WEIGHTIEST.index(one.status)) for each in named.values()]


def telling(theirs: Sequence[TheirRefund]) -> list[TheirRefund]:
    """Those that tell a ledger something: the one that counts, and each that came back. Only the
    ledger knows whether that is the payment that counts there.
    """
    first, *others = theirs
    return [first, *(each for each in others if each.status == "BOUNCED")]


def standing_of(theirs: TheirStatus, ours: RefundStatus) -> Agreement:
    """Whether the two sides say the same of a refund."""
    if ours in AGREED[theirs]:
        return "AGREED"
    if ours in UNDER_WAY and theirs in ("PENDING", "REFUSED", "CANCELLED"):
        return "WAITING"  # a no is taken in when the ledger tries again
    return "DIFFERENT"


def paid_before(met: Met) -> list[str]:
    """The provider's name of a payment that counts here and is of another day than these."""
    ours = met.ours
    if ours is None or ours.status not in PAID or ours.word is None:
        return []
    return [] if ours.word in {each.id for each in met.theirs} else [ours.word]


def is_paid_twice(met: Met) -> bool:
    paid = [each.id for each in met.theirs if each.status in ("PAID", "BOUNCED")]
    return bool(paid) and len([*paid_before(met), *paid]) > 1


def printable(name: str) -> str:
    """A name that the provider has for something, with a mark for what no report can hold."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in name)


def line_of(met: Met) -> ReportedRefund:
    first = met.theirs[0]
    return ReportedRefund(
        refund_id=printable(first.reference),
        order_id=printable(first.order_ref),
        gateway_refs=[
            printable(each) for each in (*paid_before(met), *(one.id for one in met.theirs))
        ],
        amount_minor=first.amount_minor,
        currency=printable(first.currency),
        theirs=first.status,
        ours=met.ours.status if met.ours else None,
    )


def compared(
    day: date, listed: int, met: Sequence[Met], only_ours: Sequence[ReportedRefund], now: datetime
) -> Report:
    """The report of a day. A refund is in one list alone; what is worse comes first."""
    lists: dict[str, list[ReportedRefund]] = {
        name: [] for name in ("settled", "only_theirs", "different", "paid_twice")
    }
    agreed_minor: Counter[str] = Counter()
    agreed = waiting = 0
    for each in met:
        line = line_of(each)
        standing = standing_of(each.theirs[0].status, each.ours.status) if each.ours else None
        if each.ours is None:
            lists["only_theirs"].append(line)
        elif is_paid_twice(each):
            lists["paid_twice"].append(line)
        elif standing == "DIFFERENT" or not is_the_same(each.theirs[0], asked_of(each.ours)):
            lists["different"].append(line)
        elif standing == "WAITING":
            waiting += 1
        else:
            agreed += 1
            agreed_minor[line.currency] += line.amount_minor
            if each.news:
                lists["settled"].append(line)
    return Report(
        day=day,
        compared_at=now,
        listed=listed,
        agreed=agreed,
        agreed_minor=dict(agreed_minor),
        waiting=waiting,
        only_ours=[*only_ours],
        **lists,
    )
