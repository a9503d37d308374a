"""Who has acted for a party of an order in, the organisations that may not decide about it out.

Kept in `facts.party_org`, a table of each service that lets people decide.
"""

from collections.abc import Iterable

from msgspec import Struct
from shared_runtime.decider import Actor
from shared_runtime.log import Database

from shared_casework.parties import PARTIES

PARTY_ORGS = """
    -- The organisations of whoever has acted for a party: none of them decides.
    CREATE TABLE facts.party_org (
        order_id text NOT NULL,
        org_id text NOT NULL,
        PRIMARY KEY (order_id, org_id)
    );
"""
# Sorted: two writers of the same rows wait for each other in one order.
ADD_ORGS = """
    INSERT INTO facts.party_org (order_id, org_id)
    SELECT DISTINCT order_id, org_id
    FROM unnest($1::text[], $2::text[]) AS told (order_id, org_id) ORDER BY order_id, org_id
    ON CONFLICT DO NOTHING
"""


class PartyOrg(Struct, frozen=True, kw_only=True):
    order_id: str
    org_id: str


def org_of(actor: Actor, order_id: str) -> PartyOrg | None:
    """The organisation that acts for a party. An importer acts for everybody: his is nobody's."""
    if actor.role not in PARTIES or actor.org_id is None:
        return None
    return PartyOrg(order_id=order_id, org_id=actor.org_id)


async def write_orgs(orgs: Iterable[PartyOrg], db: Database) -> None:
    """Somebody of each organisation has acted for a party of its order, in this matter or in
    another one: none of it decides.
    """
    if told := [*orgs]:
        await db.execute(ADD_ORGS, [e.order_id for e in told], [e.org_id for e in told])
