"""The erasure of a person in, the person's key destroyed and what was opened cleaned away out."""

from collections.abc import Awaitable, Callable, Sequence

import structlog
from shared_events import reputation
from shared_events.envelope import Recorded
from shared_events.reputation import SubjectErased

from shared_runtime.delivery import Connection, Subscription
from shared_runtime.keys import KeyStore
from shared_runtime.sealing import person
from shared_runtime.subscription import decoded

NAME = "erasure"

log = structlog.get_logger()

type CleanUp = Callable[[str, Connection], Awaitable[None]]
"""Removes what a service holds of a person besides the log, in the transaction it is given. It
may be asked again: for a repeated event, and after a crash.
"""


def erasure(keys: KeyStore, *clean: CleanUp) -> Subscription:
    """Destroys the key of each person erased, then has the service clean up.

    The key is in another database: it is gone before anything of this transaction commits, and
    stays gone if nothing does. Destroying it again does nothing.
    """

    async def apply(batch: Sequence[Recorded[SubjectErased]], db: Connection) -> None:
        for recorded in batch:
            erased = erased_person(recorded.event)
            destroyed = await keys.destroy(erased)
            for each in clean:
                await each(erased, db)
            log.info("person erased", event_id=recorded.event_id, destroyed=destroyed)

    return Subscription(
        name=NAME, topics=(reputation.TOPIC,), apply=decoded((SubjectErased,), apply)
    )


def erased_person(event: SubjectErased) -> str:
    """Whose key it is."""
    match event.account_kind:
        case "BUYER":
            assert event.buyer_id is not None
            return person("buyer", event.buyer_id)
        case "SELLER":
            assert event.seller_id is not None
            return person("seller", event.seller_id)
