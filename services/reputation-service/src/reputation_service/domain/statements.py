"""What the accused has to say in, before anybody decides."""

from typing import Annotated

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_events.fields import MEDIA_MAX, TEXT_LENGTH_MAX, Sha256
from shared_events.reputation import CaseEvent, StatementSubmitted
from shared_runtime.decider import AlreadySubmitted
from shared_runtime.rule import Window
from shared_runtime.shape import Files, Words

from reputation_service.domain.case_matter import CaseRule
from reputation_service.domain.case_state import Case
from reputation_service.domain.known import PERSON, Sender


class SubmitStatement(Struct, frozen=True, kw_only=True):
    """In his own words, with what he has to show."""

    text: Annotated[str, Words(TEXT_LENGTH_MAX)]
    media: Annotated[tuple[str, ...], Files("EVIDENCE", MEDIA_MAX)] = ()
    media_sha256: tuple[Sha256, ...] = ()


def submit_statement(case: Case, said: SubmitStatement, _: Sender) -> list[CaseEvent]:
    """From now on a person decides, and need not wait for the end of the time."""
    return [
        StatementSubmitted(
            **case.ids,
            text=said.text,
            media=[*said.media] or None,
            media_sha256=[*said.media_sha256] or None,
        )
    ]


def has_spoken(case: Case, _: SubmitStatement, __: Sender) -> bool:
    """Once, whatever has become of the case."""
    if case.statement:
        raise AlreadySubmitted(existing_id=case.case_id)
    return False


def in_time(case: Case, _: SubmitStatement, __: Sender) -> Window:
    return Window(latest=case.opened.statement_until)


SUBMIT_STATEMENT = CaseRule(
    SubmitStatement,
    submit_statement,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    repeated=has_spoken,
    states=("STATEMENT",),
    window=in_time,
    refuses=(AlreadySubmitted,),
    events=(StatementSubmitted,),
    example=SubmitStatement(text="The buyer is a customer of ours for years; here are his orders."),
)
