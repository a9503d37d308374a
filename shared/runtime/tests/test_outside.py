"""What is sent to a stranger goes to where his name was seen to lead, and nowhere else."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from local_stack.certificates import authority
from local_stack.receiver import Receiver, receiving
from shared_runtime.outside import ANSWER_BYTES_MAX, Lookup, Outside
from shared_runtime.reach import NotReached, Reach

HERE = Reach(local=True)
NAME = "shop.example"


def leads_to(*addresses: str, asked: list[str] | None = None) -> Lookup:
    async def look_up(host: str, _: int) -> Sequence[str]:
        if asked is not None:
            asked.append(host)
        return addresses

    return look_up


@pytest.fixture
def shop() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def named(shop: Receiver) -> str:
    return shop.url.replace("127.0.0.1", NAME)


async def why(outside: Outside, url: str) -> str:
    with pytest.raises(NotReached) as refused:
        await outside.post(url, b"{}", {})
    return refused.value.code


async def test_a_request_comes_as_it_was_sent_under_the_name(shop: Receiver) -> None:
    outside = Outside(HERE, leads_to("127.0.0.1"))
    assert await outside.post(named(shop), b'{"a":1}', {"webhook-id": "W1"}) == 200
    (came,) = shop.received
    assert (came.path, came.body, came.id) == ("/told", b'{"a":1}', "W1")
    assert came.headers["host"].partition(":")[0] == NAME


@pytest.mark.parametrize(
    "addresses",
    [
        *[("10.0.0.1",), ("169.254.169.254",), ("::ffff:169.254.169.254",), ("fd00:ec2::254",)],
        *[("127.0.0.1", "10.0.0.1"), ("10.0.0.1", "127.0.0.1"), ()],
    ],
)
async def test_i22_a_name_that_leads_inside_is_not_gone_to(
    shop: Receiver, addresses: Sequence[str]
) -> None:
    assert await why(Outside(HERE, leads_to(*addresses)), named(shop)) == "ADDRESS_REFUSED"
    assert not shop.received


async def test_in_production_this_machine_is_inside(shop: Receiver) -> None:
    for url in (shop.url, named(shop), shop.url.replace("127.0.0.1", "localhost")):
        lookup = leads_to("127.0.0.1") if NAME in url else None
        assert await why(Outside(Reach(), lookup), url) == "ADDRESS_REFUSED"
    assert not shop.received


async def test_a_number_in_any_spelling_is_looked_at_as_the_address_that_it_is() -> None:
    for host in ("127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "[::ffff:7f00:1]"):
        assert await why(Outside(Reach()), f"http://{host}:9/") == "ADDRESS_REFUSED"


async def test_a_name_is_looked_up_each_time(shop: Receiver) -> None:
    asked: list[str] = []
    outside = Outside(HERE, leads_to("127.0.0.1", asked=asked))
    for _ in range(2):
        await outside.post(named(shop), b"{}", {})
    assert asked == [NAME, NAME]


async def test_i22_what_was_seen_is_what_is_connected_to(shop: Receiver) -> None:
    """A name that leads elsewhere as soon as it was looked at."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def look_up(_: str, __: int) -> Sequence[str]:
        return next(answers)

    outside = Outside(HERE, look_up)
    assert await outside.post(named(shop), b"{}", {}) == 200
    assert await why(outside, named(shop)) == "ADDRESS_REFUSED"


async def test_a_name_that_nobody_knows_is_none() -> None:
    assert await why(Outside(HERE), "http://nobody.invalid/") == "NAME_UNKNOWN"


async def test_the_next_address_is_tried_where_one_does_not_answer(shop: Receiver) -> None:
    outside = Outside(HERE, leads_to("::1", "127.0.0.1"))
    assert await outside.post(named(shop), b"{}", {}) == 200


async def test_a_redirection_is_an_answer_and_not_followed(shop: Receiver) -> None:
    shop.status, shop.headers = 307, {"Location": shop.url}
    assert await Outside(HERE).post(shop.url, b"{}", {}) == 307
    assert len(shop.received) == 1


async def test_nobody_is_waited_for_longer_than_said(shop: Receiver) -> None:
    shop.seconds = 20
    assert await why(Outside(HERE, seconds=0.3), shop.url) == "TOO_SLOW"

    async def never(_: str, __: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    assert await why(Outside(HERE, never, seconds=0.1), shop.url) == "TOO_SLOW"


async def test_of_an_answer_a_part_is_read(shop: Receiver) -> None:
    shop.content = b"x" * (64 * ANSWER_BYTES_MAX)
    assert await Outside(HERE).post(shop.url, b"{}", {}) == 200


async def test_what_is_no_http_is_no_answer() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await why(Outside(HERE), f"http://127.0.0.1:{port}/") == "NO_ANSWER"
    assert await why(Outside(HERE), f"http://127.0.0.1:{port}/") == "NO_ANSWER"


async def test_over_tls_the_name_is_proved_whatever_the_address(tmp_path: Path) -> None:
    trusted = authority(tmp_path)
    context = ssl.create_default_context(cafile=trusted.certificate)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # an authority of tests names no keys
    with receiving(host=NAME, certificate=trusted.issue("shop", host=NAME)) as shop:
        outside = Outside(HERE, leads_to("127.0.0.1"), trusted=context)
        assert await outside.post(shop.url, b"{}", {}) == 200
        assert shop.received[0].headers["host"].partition(":")[0] == NAME
        assert await why(outside, shop.url.replace(NAME, "other.example")) == "NO_ANSWER"
        assert await why(Outside(HERE, leads_to("127.0.0.1")), shop.url) == "NO_ANSWER"
