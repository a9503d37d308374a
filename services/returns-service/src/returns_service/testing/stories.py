"""Every place where a ledger can stand, and what has led there."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from returns_service.domain.bouncing import BounceRefund
from returns_service.domain.failing import RetryRefund
from returns_service.domain.ledger_rules import LedgerCommand
from returns_service.domain.outside import UndoOutsideRefund
from returns_service.testing import (
    AGENT,
    HOUR,
    NOW,
    SELLER,
    asks,
    at,
    charged_back,
    goodwill,
    not_paid,
    opened,
    paid,
    refused,
    reissue,
    replaced,
    say,
    timed_out,
)

type Commands = tuple[LedgerCommand, ...]


class Story(Struct, frozen=True):
    """What was said, and when it is asked what may be said next."""

    commands: Commands
    now: datetime = NOW


OPEN: Commands = (opened(),)
REQUESTED: Commands = (*OPEN, say(asks("f-1", "1/1"), at(2)))
WAITING: Commands = (*REQUESTED, say(not_paid("f-1"), NOW))
TIMED_OUT: Commands = (*REQUESTED, say(timed_out("f-1"), NOW))
RETRIED: Commands = (*WAITING, say(RetryRefund(refund_id="f-1"), NOW + HOUR))
FAILED: Commands = (*REQUESTED, say(refused("f-1"), at(3)))
REISSUED: Commands = (*FAILED, say(reissue("f-3", "f-1"), at(4), AGENT))
LATE: Commands = (*REISSUED, say(paid("f-1"), at(5)))
SETTLED: Commands = (*REQUESTED, say(paid("f-1"), at(3)))
BOUNCED: Commands = (*SETTLED, say(BounceRefund(refund_id="f-1", code="CLOSED"), at(4)))
ALL_GIVEN: Commands = (*SETTLED, say(goodwill("g-1", 10799), at(4), SELLER))
OUTSIDE: Commands = (*OPEN, say(charged_back("cb-9", 12000), at(2)))
UNDONE: Commands = (*OUTSIDE, say(UndoOutsideRefund(outside_id="cb-9"), at(3)))
REPLACED: Commands = (*OPEN, say(replaced("1/1"), at(2)))

STORIES: Mapping[str, Story] = {
    "open": Story(OPEN),
    "requested": Story(REQUESTED),
    "overdue": Story(REQUESTED, at(16)),
    "waiting": Story(WAITING),
    "retry due": Story(WAITING, NOW + HOUR),
    "timed out": Story(TIMED_OUT),
    "retried": Story(RETRIED, NOW + HOUR),
    "failed": Story(FAILED),
    "reissued": Story(REISSUED),
    "late": Story(LATE),
    "settled": Story(SETTLED),
    "bounced": Story(BOUNCED),
    "all given": Story(ALL_GIVEN),
    "charged back": Story(OUTSIDE),
    "undone": Story(UNDONE),
    "replaced": Story(REPLACED),
}
