"""Returns that need a label in, what the carrier makes of it out."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from shared_runtime.decider import Actor
from shared_runtime.errands import Errand, Errands
from shared_runtime.log import Decisions

from returns_service.connectors.hearing import (
    Found,
    PortAnswer,
    Teller,
    again,
    asked_about_returns,
    decide,
)
from returns_service.domain.labelling import IssueLabel
from returns_service.domain.return_overdue import owes_label
from returns_service.ports.carrier import AskedLabel, CarrierPort, Label, Voided
from returns_service.ports.line import No, NotNow, Refused, Unknown
from returns_service.ports.opened import with_line
from returns_service.wishes import CARRIER, LABEL, VOID

LABELS = Actor(role="SYSTEM", id="carrier")

type LabelWord = Label | Voided | No


async def word_for(errand: Errand, found: Found, port: CarrierPort) -> LabelWord | None:
    """None: there is nothing to ask, as the return stands."""
    matter = found.matter
    if errand.task != LABEL:
        return await port.void(errand.task.removeprefix(VOID))
    if not (matter.goods_back and owes_label(matter)):
        return None
    assert found.known.order
    asked = AskedLabel(
        label_id=matter.return_id,
        order_id=matter.ids["order_id"],
        pieces=len(matter.live),
        currency=found.known.order.currency,
    )
    return await port.label(asked, sent_before=errand.tries > 1)


def tell(
    decisions: Decisions, errand: Errand, told: PortAnswer[LabelWord], now: datetime
) -> datetime | None:
    """A carrier that refuses is told of by the deadline of the label."""
    match told.answer:
        case Label() as label:
            assert told.found.known.order
            said = IssueLabel(
                label_id=label.carrier_ref,
                carrier=label.carrier,
                tracking_id=label.tracking_id,
                cost_minor=label.cost_minor,
                currency=told.found.known.order.currency,
            )
            decide(decisions, errand, said, told, Teller(actor=LABELS, now=now))
            return None
        case Unknown() | NotNow():
            return again(errand, now)
        case Voided() | Refused() | None:
            return None


async def ask_for_labels(
    open_port: Callable[[], CarrierPort],
    at_once: int,
    known: dict[str, Any],
    stop: asyncio.Event,
) -> None:
    """What the worker runs: with a line to the carrier that lives as long as it does."""
    await with_line(open_port, lambda port: labels(port, at_once, known), stop)


def labels(
    port: CarrierPort, at_once: int, known: dict[str, Any]
) -> Errands[PortAnswer[LabelWord]]:
    return asked_about_returns(
        CARRIER, port, word_for=word_for, tell=tell, at_once=at_once, known=known
    )
