"""Every seller's explanation in, those that do not add up out.

What is listed and the rest are the dimension's mean less its prior; the means less what caution
takes are the score.
"""

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from urllib.parse import quote

import httpx
import msgspec
from local_stack.errors import StackError
from msgspec import Struct
from reputation_service.domain.read import rhe

from shared_cli.audit_explain import Dimension, Explanation

LARGEST = 1_000
PAGE = 1_000
MICRO_POINTS_OF_A_MEAN = 10  # a micro-point of 100 is so many nano of a mean
WEIGHTED = 10_000  # milli of a weight times nano of a mean are so much smaller than micro-points


class Account(Struct, frozen=True, kw_only=True):
    seller_id: str
    score_micro: int | None


class Page(Struct, frozen=True, kw_only=True):
    items: list[Account]
    next_cursor: str | None = None


class Summed(Struct, frozen=True, kw_only=True):
    """How many sellers and shares were looked at, and what does not add up."""

    sellers: int
    shares: int
    differences: list[str]


async def shares(web: httpx.AsyncClient, url: str) -> Summed:
    """Asks why of every seller. Raises StackError."""
    sellers = listed = 0
    differences: list[str] = []
    async for account in rated(web, url):
        path = f"{url}/v1/sellers/{quote(account.seller_id, safe='')}/score/explain"
        found = msgspec.json.decode(await _get(web, path, {"largest": LARGEST}), type=Explanation)
        sellers += 1
        listed += sum(len(each.shares) for each in found.dimensions.values())
        differences += [f"{account.seller_id}: {what}" for what in not_adding_up(found)]
    return Summed(sellers=sellers, shares=listed, differences=differences)


async def rated(web: httpx.AsyncClient, url: str) -> AsyncIterator[Account]:
    """Everyone with a score; of buyers alone there is none."""
    query: dict[str, str | int] = {"limit": PAGE}
    while True:
        page = msgspec.json.decode(await _get(web, f"{url}/v1/scores", query), type=Page)
        for account in page.items:
            if account.score_micro is not None:
                yield account
        if page.next_cursor is None:
            return
        query["cursor"] = page.next_cursor


def not_adding_up(found: Explanation) -> Iterator[str]:
    for name, dimension in found.dimensions.items():
        added = sum(share.share_micro for share in dimension.shares) + dimension.rest_micro
        if added != dimension.total_micro:
            yield f"{name}: shares of {added}, not {dimension.total_micro}"
        if len(dimension.shares) == dimension.events and dimension.rest_micro:
            yield f"{name}: all are listed, and {dimension.rest_micro} is left"
        if not is_the_mean(dimension):
            yield f"{name}: {dimension.total_micro} is not the mean of {dimension.mean_nano}"
    bounds = [
        each.weight_milli * (each.mean_nano - each.caution_nano)
        for each in found.dimensions.values()
    ]
    if (score := rhe(sum(bounds), WEIGHTED)) != found.score_micro:
        yield f"its dimensions make {score}, not {found.score_micro}"


def is_the_mean(dimension: Dimension) -> bool:
    """Both are rounded once, from the same fraction."""
    above_prior = dimension.mean_nano - 1_000 * dimension.prior_mean_micro
    apart = MICRO_POINTS_OF_A_MEAN * dimension.total_micro - above_prior
    return abs(apart) <= MICRO_POINTS_OF_A_MEAN // 2


async def _get(web: httpx.AsyncClient, url: str, query: dict[str, str | int]) -> bytes:
    answer = await web.get(url, params=query)
    if answer.status_code != HTTPStatus.OK:
        raise StackError(f"reputation-service refuses ({answer.status_code}): {answer.text[:200]}")
    return answer.content
