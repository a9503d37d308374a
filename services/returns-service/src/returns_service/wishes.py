"""What is to be asked of the carrier and of the stock, left where they are asked from."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from shared_events.returns import LabelVoided
from shared_runtime.delivery import Connection
from shared_runtime.errands import Begin, write_errands

from returns_service.domain.steps import AskLabel, AskStock, ReleaseStock
from returns_service.domain.streams import return_stream, step_id_of

CARRIER, STOCK = "carrier", "stock"
LABEL = "LABEL"
VOID = "VOID/"
"""The label that is to be taken back stands behind it."""
RELEASE = "RELEASE"
BACK_RANK = 1
"""Whoever takes a label back does not have one made; nor is kept what is given back."""
type Wish = AskLabel | AskStock | ReleaseStock | LabelVoided


class Wished(Struct, frozen=True, kw_only=True):
    """What is wanted of them, by the event that has told it, and when that was."""

    wish: Wish
    event_id: str
    time: datetime


async def leave_errands(wished: Iterable[Wished], db: Connection) -> None:
    """In the transaction of whoever reads the log."""
    told = [*wished]
    of_carrier = [errand(each) for each in told if port_of(each.wish) == CARRIER]
    of_stock = [errand(each) for each in told if port_of(each.wish) == STOCK]
    await write_errands(CARRIER, of_carrier, db)
    await write_errands(STOCK, of_stock, db)


def port_of(wish: Wish) -> str:
    return STOCK if isinstance(wish, AskStock | ReleaseStock) else CARRIER


def errand(told: Wished) -> Begin:
    """One label for each return: it has the name of that. What the stock keeps has the name of the
    errand that asked for it.
    """
    wish = told.wish
    key, task, rank = wish.return_id, LABEL, 0
    match wish:
        case LabelVoided(label_id=label_id):
            task, rank = f"{VOID}{label_id}", BACK_RANK
        case AskStock(units=units):
            key, task = step_id_of(told.event_id, STOCK), ",".join(units)
        case ReleaseStock(reservation_id=reservation_id):
            key, task, rank = reservation_id, RELEASE, BACK_RANK
        case AskLabel():
            pass
    return Begin(
        key=key,
        stream=return_stream(wish.return_id),
        task=task,
        rank=rank,
        due=told.time,
        cause=told.event_id,
    )
