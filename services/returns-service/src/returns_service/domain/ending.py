"""A return of which nothing more is to come in, its end out."""

from msgspec import Struct
from shared_events.returns import ReturnClosed, ReturnEvent

from returns_service.domain.closing import closing
from returns_service.domain.known import Sender
from returns_service.domain.return_matter import ReturnRule
from returns_service.domain.return_state import Return


class CloseReturn(Struct, frozen=True):
    """The ledger has answered, or the time to contest is over."""


def close_return(matter: Return, _: CloseReturn, by: Sender) -> list[ReturnEvent]:
    """Once every piece is terminal; nothing before."""
    return [*closing(matter, by)]


CLOSE_RETURN = ReturnRule(
    CloseReturn,
    close_return,
    roles=("SYSTEM",),
    lapses=True,
    events=(ReturnClosed,),
    example=CloseReturn(),
)
