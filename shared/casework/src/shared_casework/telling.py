"""Pages of histories in, what somebody who has himself told of what happens may know of them out.

He reads what his own page shows; a machine what it may read, and of the matters of an account that
it belongs to no more than that account.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared_events.envelope import Recorded
from shared_runtime.decider import Actor
from shared_runtime.history import Known, readable_history
from shared_runtime.webhook_events import Reads

from shared_casework.parties import Account, parties_of
from shared_casework.readers import as_party

type Page = Callable[[Sequence[Recorded[Any]], Actor], Sequence[Recorded[Any]]]
"""A history and somebody in, what he may read of it out."""


def reads_of(pages: Mapping[str, Page]) -> Reads:
    """`pages`: by what the names of streams begin with. Streams of nobody are in none."""

    def reads(
        stream: str, history: Sequence[Recorded[Any]], reader: Actor
    ) -> Sequence[Recorded[Any]]:
        page = pages.get(stream.partition("-")[0])
        if page is None or not history:
            return []
        who = as_party(reader, parties_told_of(history[0].event))
        return page(history, who) if who else []

    return reads


def parties_told_of(event: Any) -> frozenset[Account]:  # noqa: ANN401 - of any kind
    """Whose it is that an event is about: of an order both parties', of an account its holder's."""
    kind = getattr(event, "account_kind", None)
    if kind is None:
        return parties_of(buyer_id=event.buyer_id, seller_id=event.seller_id)
    return frozenset({Account(kind, event.buyer_id if kind == "BUYER" else event.seller_id)})


def page_of(
    read_by: Callable[[Actor, Sequence[Any]], Known],
    history: Sequence[Recorded[Any]],
    reader: Actor,
) -> list[Recorded[Any]]:
    """The page of a history that is read by this function: of whom it is nothing to, nothing."""
    reading = read_by(reader, [recorded.event for recorded in history])
    return readable_history(history, reading, reader) if reading.knows else []
