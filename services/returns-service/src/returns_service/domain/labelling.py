"""The carrier's label in, until when the goods are to travel under it out."""

from msgspec import Struct
from shared_casework.values import require_currency, utc
from shared_events.fields import Currency, Id, Minor
from shared_events.returns import LabelIssued, ReturnEvent
from shared_runtime.decider import WrongState
from shared_runtime.rule import Guard

from returns_service.domain.closing import currency_of
from returns_service.domain.known import Known, Sender
from returns_service.domain.lanes import time_to_ship
from returns_service.domain.return_matter import ReturnRule
from returns_service.domain.return_state import Return


class IssueLabel(Struct, frozen=True, kw_only=True):
    """As the carrier has made it."""

    label_id: Id
    carrier: Id
    tracking_id: Id
    cost_minor: Minor
    currency: Currency


def issue_label(matter: Return, said: IssueLabel, by: Sender) -> list[ReturnEvent]:
    """One for each return. Who has waited for a label that he does not pay has his time anew."""
    currency = currency_of(matter, by)
    require_currency(said.currency, currency)
    payer = matter.label_paid_by
    assert payer
    span = time_to_ship(matter.lane, matter.policy(by))
    return [
        LabelIssued(
            **matter.ids,
            label_id=said.label_id,
            carrier=said.carrier,
            tracking_id=said.tracking_id,
            paid_by=payer,
            currency=currency,
            cost_minor=said.cost_minor,
            ship_by=None if payer == "BUYER" else utc(by.now) + span,
        )
    ]


def is_issued(matter: Return, said: IssueLabel, _: Sender) -> bool:
    return matter.label is not None and matter.label.label_id == said.label_id


def without_a_label(matter: Return, _: IssueLabel, __: Sender) -> None:
    """goods are to go back, none has been sent, and there is no label yet"""
    if not matter.goods_back or not matter.is_unsent or matter.label:
        raise WrongState(state=matter.status)


ISSUE_LABEL = ReturnRule(
    IssueLabel,
    issue_label,
    roles=("SYSTEM",),
    repeated=is_issued,
    states=("AUTHORIZED",),
    stands=Guard[Return, IssueLabel, Known](without_a_label, WrongState),
    lapses=True,
    events=(LabelIssued,),
    example=IssueLabel(
        label_id="L-1", carrier="DHL", tracking_id="T-1", cost_minor=390, currency="EUR"
    ),
)
