"""A matter that nobody has decided in time in, its end at the marketplace's expense out."""

from typing import Annotated

from msgspec import Struct
from shared_events.common import StatementOfReasonsIssued
from shared_events.dispute import (
    DisputeClosed,
    DisputeEvent,
    DisputeFinalized,
    PlatformDefaultGiven,
    RemedyOrdered,
)
from shared_events.fields import TEXT_LENGTH_MAX, Party
from shared_runtime.decider import WrongState
from shared_runtime.rule import Guard, Window
from shared_runtime.shape import Words

from dispute_service.domain.appeals import decision_of, verdict_of
from dispute_service.domain.dispute_state import TO_DECIDE, Dispute
from dispute_service.domain.known import Sender, ceiling_of
from dispute_service.domain.matter import DisputeRule, nothing_such
from dispute_service.domain.remedies import Verdict, finalized
from dispute_service.domain.statements import told_why
from dispute_service.domain.terms import Terms, granted

RULE = "platform-default"
EXPLANATION = (
    "Nobody of the marketplace has decided your appeal in time. So the decision that you appealed "
    "stands; what it costs is borne by the marketplace."
)


class GivePlatformDefault(Struct, frozen=True, kw_only=True):
    """`facts_for_buyer`, `facts_for_seller`: what was appealed and when it had been due, sealed for
    each; told to whoever has appealed.
    """

    facts_for_buyer: Annotated[str, Words(TEXT_LENGTH_MAX, sealed_for="BUYER")]
    facts_for_seller: Annotated[str, Words(TEXT_LENGTH_MAX, sealed_for="SELLER")]


def facts_of_delay(dispute: Dispute) -> str:
    """The facts of the statement, which nobody has written: to be sealed for each party."""
    due = dispute.decide_by
    assert due
    return f"The decision was due on {due:%Y-%m-%d %H:%M} UTC. There was none."


def give_platform_default(
    dispute: Dispute, said: GivePlatformDefault, by: Sender
) -> list[DisputeEvent]:
    """`dispute_platform_default` after it had been due. Undecided, the buyer's proposal is granted
    as far as a rule may; an appeal leaves the decision as it is. It speaks for nobody's fault.
    """
    in_appeal = dispute.status == "APPEAL"
    terms = verdict_of(decision_of(dispute)).terms if in_appeal else granted_of(dispute, by)
    assert dispute.decide_by
    given = PlatformDefaultGiven(
        **dispute.ids,
        stage="APPEAL" if in_appeal else "REVIEW",
        decide_by=dispute.decide_by,
        proposal_id=None if in_appeal else dispute.current["BUYER"].proposal_id,
        outcome=terms.outcome,
        currency=dispute.currency,
        amount_minor=terms.amount_minor,
        lines=[*terms.lines],
        replacement_sku=terms.replacement_sku,
    )
    verdict = Verdict(basis="PLATFORM", terms=terms, liable="PLATFORM")
    return [given, *finalized(dispute, verdict, by), *told_appellants(dispute, said, by)]


def granted_of(dispute: Dispute, by: Sender) -> Terms:
    asked = dispute.current["BUYER"].terms
    ceiling = ceiling_of(dispute.units(asked.lines), by)
    return granted(asked, dispute.reason, dispute.ground, ceiling, dispute.policy(by))


def told_appellants(
    dispute: Dispute, said: GivePlatformDefault, by: Sender
) -> list[StatementOfReasonsIssued]:
    facts: dict[Party, str] = {"BUYER": said.facts_for_buyer, "SELLER": said.facts_for_seller}
    return told_why(
        dispute,
        by,
        RULE,
        {side: facts[side] for side in dispute.appeals},
        rule_ids=(RULE,),
        explanation=EXPLANATION,
        automated="FULLY",
    )


def is_running(dispute: Dispute, _: object, __: Sender) -> None:
    """no question is open"""
    if dispute.question:
        raise nothing_such(dispute)


def long_after(dispute: Dispute, _: object, by: Sender) -> Window:
    if dispute.decide_by is None:
        return Window()
    return Window(earliest=dispute.decide_by + dispute.policy(by).dispute_platform_default)


GIVE_PLATFORM_DEFAULT = DisputeRule(
    GivePlatformDefault,
    give_platform_default,
    roles=("SYSTEM",),
    states=TO_DECIDE,
    stands=Guard(is_running, WrongState),
    window=long_after,
    early=True,
    lapses=True,
    events=(
        PlatformDefaultGiven,
        DisputeFinalized,
        RemedyOrdered,
        DisputeClosed,
        StatementOfReasonsIssued,
    ),
    example=GivePlatformDefault(
        facts_for_buyer="Appealed on 2 March, due on 12 March.",
        facts_for_seller="Appealed on 2 March, due on 12 March.",
    ),
)
