"""What is asked of ledgers over HTTP: every path and the rule behind it."""

from shared_runtime.doors import Door, doors_api
from shared_runtime.routers import Router

from returns_service.api import answers
from returns_service.api.ledgers import Ledgers
from returns_service.api.places import AtLedger, ToToldLedger
from returns_service.domain.goodwill import GIVE_GOODWILL
from returns_service.domain.outside import RECORD_OUTSIDE_REFUND, UNDO_OUTSIDE_REFUND
from returns_service.domain.reissuing import REISSUE_REFUND
from returns_service.domain.resolving import RESOLVE_REFUND

LEDGER_PATH = "/v1/orders/{order_id}/refunds"

OF_PARTIES = (
    Door(
        f"{LEDGER_PATH}/goodwill",
        GIVE_GOODWILL,
        "Give money back of your own accord",
        description="At most what is left of the order; the desk, with a reason and at the "
        "platform's cost, up to its limit for each order.",
        shows=answers.LEDGER_COMMAND,
        versioned=True,
    ),
)
OF_STAFF = (
    Door(
        f"{LEDGER_PATH}/{{failed_refund_id}}/reissue",
        REISSUE_REFUND,
        "Give a refund that has failed or bounced once more",
        description="Once. Another way than the original one needs the buyer's consent.",
        shows=answers.LEDGER_COMMAND,
        versioned=True,
    ),
    Door(
        f"{LEDGER_PATH}/{{refund_id}}/resolution",
        RESOLVE_REFUND,
        "Say what the provider's desk has said of a refund without an answer",
        description="Final either way.",
        shows=answers.LEDGER_COMMAND,
        versioned=True,
    ),
)
OF_OTHERS = (
    Door(
        f"{LEDGER_PATH}/outside",
        RECORD_OUTSIDE_REFUND,
        "Money was given back by others",
        description="A bank's chargeback, or what the marketplace itself has given. It counts "
        "like money of the ledger: of its pieces if they are named, else of the order alone.",
        shows=answers.LEDGER_COMMAND,
    ),
    Door(
        f"{LEDGER_PATH}/outside/{{outside_id}}/undoing",
        UNDO_OUTSIDE_REFUND,
        "Money that others had given back was taken again",
        description="The bank has decided for the seller. What was not due because of it is asked "
        "for again.",
        shows=answers.LEDGER_COMMAND,
        told=True,
    ),
)


def ledger_doors(ledgers: Ledgers) -> list[Router]:
    return [
        doors_api(OF_PARTIES, AtLedger(ledgers), "refunds"),
        doors_api(OF_STAFF, AtLedger(ledgers, also=()), "refunds"),
        doors_api(OF_OTHERS, ToToldLedger(ledgers), "refunds"),
    ]
