"""Ids in, all that anybody can work out of them without a key out: digests, and ids made of ids.

Who knows an order's id, or counts through those of a shop, can check such a name. So none of them
is in an answer to somebody who is no party of it, and neither is the id.
"""

import itertools
import re
import sys
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterable, Iterator
from hashlib import md5, sha1, sha256, sha512
from uuid import UUID, uuid5

import httpx
from shared_runtime.testing_http import Client

HEX_LENGTH, BASE64_LENGTH = 24, 16
"""So much of a digest or a UUID is no chance."""
HEX = re.compile(f"[0-9a-f]{{{HEX_LENGTH},}}")
BASE64 = re.compile(f"[0-9A-Za-z_-]{{{BASE64_LENGTH},}}")
SIDES = ("BUYER", "SELLER")
STREAMS = ("order", "evaluation", "review", "dispute", "inquiry", "return", "refunds", "case")
PRODUCT = ("shared_", "review_service", "dispute_service", "returns_service", "reputation_service")
DIGESTS = (md5, sha1, sha256, sha512)


def names_of(ids: Iterable[str]) -> frozenset[str]:
    """The names that follow from ids: the beginning of each."""
    spaces = {*_namespaces(), uuid.NAMESPACE_DNS, uuid.NAMESPACE_URL, uuid.NAMESPACE_OID}
    names: set[str] = set()
    for text in (text for told in ids for text in _texts(told)):
        names |= {uuid5(space, text).hex[:HEX_LENGTH] for space in spaces}
        for digest in DIGESTS:
            raw = digest(text.encode(), usedforsecurity=False).digest()
            names |= {raw.hex()[:HEX_LENGTH], urlsafe_b64encode(raw).decode()[:BASE64_LENGTH]}
    return frozenset(names)


def told_in(answer: str, ids: Iterable[str], names: frozenset[str]) -> list[str]:
    """The ids and the names that are in an answer, in whichever form."""
    plain = [
        each
        for each in ids
        if re.search(f"(?<![0-9A-Za-z]){re.escape(each)}(?![0-9A-Za-z])", answer)
    ]
    return plain + sorted(names.intersection(_pieces(answer)))


def _pieces(answer: str) -> Iterator[str]:
    """All that is as long as the beginning of a name."""
    for run in HEX.findall(answer.replace("-", "").lower()):
        yield from (run[n : n + HEX_LENGTH] for n in range(len(run) - HEX_LENGTH + 1))
    for run in BASE64.findall(answer):
        yield from (run[n : n + BASE64_LENGTH] for n in range(len(run) - BASE64_LENGTH + 1))


def _texts(told: str) -> Iterator[str]:
    yield told
    for word in (*SIDES, *map(str.lower, SIDES), *STREAMS):
        for between in ("/", ":", "-"):
            yield f"{word}{between}{told}"
            yield f"{told}{between}{word}"


def _namespaces() -> set[UUID]:
    """Those of all services."""
    return {
        value
        for name, module in list(sys.modules.items())
        if name.startswith(PRODUCT)
        for value in vars(module).values()
        if isinstance(value, UUID)
    }


type Heard = list[httpx.Response]


def heard_by(client: Client) -> Heard:
    """What he will have been answered, other than refusals."""
    heard: Heard = []

    async def hear(answered: httpx.Response) -> None:
        if answered.is_success:
            await answered.aread()
            heard.append(answered)

    client.event_hooks["response"].append(hear)
    return heard


def guesses_confirmed(ids: Collection[str], overheard: Iterable[Heard]) -> list[str]:
    """Where somebody who is no party is told one of these ids, or a name that follows from one."""
    names = names_of(ids)
    return [
        f"who guesses an id can check it, {answered.request.method} {answered.url.path}: {found}"
        for answered in itertools.chain(*overheard)
        if (found := told_in(f"{answered.text} {answered.headers}", ids, names))
    ]
