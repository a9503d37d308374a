"""The names of reviews as everybody is told them, where AFTERSALES_REF_KEY is not said."""

from collections.abc import Iterable, Mapping
from typing import Any

from review_service.refs import Refs
from review_service.settings import LOCAL_REF_KEY

REFS = Refs(LOCAL_REF_KEY.encode())
review_ref = REFS.of

KNOWN = (*"abcdefg", *(f"same{n}" for n in range(9)), *(f"O{n}" for n in range(99)))
"""The orders that tests tell of, by their ids."""


def reviews_in(page: Mapping[str, Any], orders: Iterable[str] = KNOWN) -> list[str]:
    """What is listed, by the ids of the orders that the reviews are of."""
    named = {review_ref(order_id, "BUYER"): order_id for order_id in orders}
    return [named[item["ref"]] for item in page["items"]]
