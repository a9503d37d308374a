"""A running stack in, a marketplace loaded into it and the first steps printed out."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
from local_stack.errors import StackError
from local_stack.services import Stack

from shared_cli import bulk, clock, demo_disputes, demo_returns, demo_standing, welcome_writing
from shared_cli.demo_disputes import Example
from shared_cli.demo_returns import Returned
from shared_cli.demo_standing import Course
from shared_cli.terminal import out

SEED = 7
ORDERS = 3_000
REQUEST_SECONDS = 60.0
PAGE = 100
SHOWN_SELLERS = 5
RANKING_SECONDS_MAX = 20.0
RANKING_LOOK_SECONDS = 0.3
type Say = Callable[[str], None]
type Items = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is known of the demo in a database: the instant at which its story ends, and, once
    all of it is there, an example, a dispute that is to be decided, an order of which some money is
    given back, returns that are over, and how a seller stood.
    """

    database: str
    ends_at: datetime
    example: Example | None = None
    dispute_id: str | None = None
    refunded: Example | None = None
    returned: tuple[Returned, ...] = ()
    course: Course | None = None


def urls(stack: Stack) -> None:
    """Where the services are, with their documentation."""
    out.print()
    for name, url in stack.description.urls.items():
        out.print(f"  {name + '-service':20} {url}    API: {url}/docs")
    out.print(
        f"  {'sandboxes':20} {stack.description.sandbox_url}    of payment, carrier and stock"
    )
    out.print(f"  logs                 {stack.description.logs}\n")


def load_demo(stack: Stack, say: Say) -> None:
    """Loads the demo marketplace once; the mark that it is there is written last.

    A load that was broken off goes on with the story of its beginning: the same lines again
    change nothing.
    """
    mark = _mark(stack) or _begin(stack)
    if mark.example is not None:
        say("the demo marketplace is there already")
        return
    from shared_cli.demo import marketplace  # noqa: PLC0415 - needed once in a stack's life

    say(f"loading a marketplace of {ORDERS:,} orders")
    examples: list[Example] = []
    completed: list[Example] = []
    lines = _noting_examples(marketplace(SEED, ORDERS, mark.ends_at), examples, completed)
    asyncio.run(_load(stack, lines, say))
    dispute_id = demo_disputes.begin(stack, completed)
    before = max(_ranked_at(stack), default=None)
    course = demo_standing.tell(stack, _sellers(stack)[0]["seller_id"])
    say("the best seller was fined, and has won his appeal")
    returned = demo_returns.tell(stack)
    say(f"{len(returned)} returns have gone their way, from the request to the last cent")
    say("twelve days have passed by the stack's clock: levels come with the weekly evaluation")
    _wait_until_ranked_anew(stack, before)
    demo_disputes.carry_on(stack, dispute_id, say)
    refunded = demo_disputes.settled_of(completed)
    _save(
        stack,
        replace(
            mark,
            example=examples[-1],
            dispute_id=dispute_id,
            refunded=refunded,
            returned=returned,
            course=course,
        ),
    )


def first_steps(stack: Stack) -> None:
    """The top and the bottom of the seller table, and what to paste for each role."""
    sellers = _sellers(stack)
    _seller_table(sellers)
    mark = _mark(stack)
    if mark is not None and mark.example is not None:
        _demo_steps(stack, mark, mark.example)
        _writing(stack, mark.example, sellers[-1]["seller_id"])
    out.print("More tokens: .venv/bin/aftersales token --role BUYER --sub B1. Ctrl-C stops it all.")


def _demo_steps(stack: Stack, mark: Mark, example: Example) -> None:
    review, reputation = stack.description.urls["review"], stack.description.urls["reputation"]
    order = f"{review}/v1/orders/{example.order_id}"
    seller = f"/v1/sellers/{example.seller_id}"
    _paste("a buyer", stack.token("BUYER", example.buyer_id), [f"{order}/evaluation"])
    _paste(
        "a seller",
        stack.token("SELLER", example.seller_id),
        [f"{review}{seller}/reviews", f"{reputation}{seller}/score"],
    )
    _paste(
        "an auditor",
        stack.token("AUDITOR", "auditor-1"),
        [f"{reputation}/v1/sellers", f"{reputation}{seller}/score/explain"],
    )
    if refunded := mark.refunded:
        ledger = f"{stack.description.urls['returns']}/v1/orders/{refunded.order_id}/refunds"
        token = stack.token("BUYER", refunded.buyer_id)
        _paste("a buyer who is given some money back", token, [ledger, f"{ledger}/events"])
    if mark.course:
        _course(stack, mark.course)
    if mark.returned:
        _returns(stack, mark.returned)
    if mark.dispute_id:
        disputes = f"{stack.description.urls['dispute']}/v1"
        _paste(
            "an agent who decides disputes",
            stack.token("AGENT", demo_disputes.AGENT),
            [
                f"'{disputes}/adjudication/cases?mine=true'",
                f"{disputes}/disputes/{mark.dispute_id}/case-file",
            ],
        )


def _writing(stack: Stack, order: Example, another_seller: str) -> None:
    out.print("And what changes something, a request of each role. (README.md has more of them.)\n")
    for each in welcome_writing.of_each_role(stack, order, another_seller):
        _paste(each.does, stack.token(each.role, each.sub), [each.told()])


async def _load(stack: Stack, lines: Iterator[bytes], say: Say) -> None:
    urls = stack.description.urls
    headers = {"Authorization": f"Bearer {stack.token('IMPORTER', 'demo')}"}
    async with bulk.client(headers) as web:
        taken = await bulk.send(web, urls["review"], lines, say)
        if taken.orders_refused or taken.unjudged:
            raise StackError(f"the demo was not taken: {dict(taken.orders_refused)}")
        say(f"{taken.lines:,} orders with {taken.reviews.total():,} reviews are in")
        await bulk.wait_until_ranked(web, urls["reputation"], taken.tokens)
    say("the scores are final")


def _noting_examples(
    lines: Iterator[bytes], reviewed: list[Example], completed: list[Example]
) -> Iterator[bytes]:
    """The lines as they are. A completed order that both sides have reviewed has something to
    show to everybody; of a completed one there may be a dispute.
    """
    for line in lines:
        told = json.loads(line)
        order = told["order"]
        example = Example(
            order_id=order["order_id"],
            buyer_id=order["buyer_id"],
            seller_id=order["seller_id"],
        )
        if told.get("completed"):
            completed.append(example)
        if len(told.get("reviews", ())) > 1:
            reviewed.append(example)
        yield line


def _begin(stack: Stack) -> Mark:
    ahead = clock.offset(Path(stack.description.clock_file))
    mark = Mark(database=stack.description.postgres_url, ends_at=datetime.now(UTC) + ahead)
    _save(stack, mark)
    return mark


def _mark(stack: Stack) -> Mark | None:
    """What is known of the demo in the databases that are used now."""
    try:
        found = msgspec.json.decode(_mark_file(stack).read_bytes(), type=Mark)
    except FileNotFoundError:
        return None
    return found if found.database == stack.description.postgres_url else None


def _save(stack: Stack, mark: Mark) -> None:
    unfinished = _mark_file(stack).with_suffix(".new")
    unfinished.write_bytes(msgspec.json.encode(mark))
    unfinished.rename(_mark_file(stack))


def _mark_file(stack: Stack) -> Path:
    return stack.folder / "demo.json"


def _sellers(stack: Stack) -> Items:
    """All sellers, best first."""
    found: Items = []
    query = {"limit": str(PAGE)}
    with _client(stack, "AUDITOR", "auditor-1") as client:
        while True:
            answer = client.get(
                f"{stack.description.urls['reputation']}/v1/sellers", params=query
            ).raise_for_status()
            page = cast("dict[str, Any]", answer.json())
            found += page["items"]
            if not page.get("next_cursor"):
                return found
            query["cursor"] = page["next_cursor"]


def _ranked_at(stack: Stack) -> list[datetime]:
    return [datetime.fromisoformat(seller["as_of"]) for seller in _sellers(stack)]


def _wait_until_ranked_anew(stack: Stack, before: datetime | None) -> None:
    """The ranking follows the clock a moment later; without it there would be no levels to show."""
    deadline = time.monotonic() + RANKING_SECONDS_MAX
    while before and min(_ranked_at(stack)) <= before and time.monotonic() < deadline:
        time.sleep(RANKING_LOOK_SECONDS)


def _seller_table(sellers: Items) -> None:
    if not sellers:
        return
    out.print(f"{len(sellers)} sellers by score:")
    numbered = list(enumerate(sellers, 1))
    top, bottom = numbered[:SHOWN_SELLERS], numbered[SHOWN_SELLERS:][-SHOWN_SELLERS:]
    for place, seller in top + bottom:
        if bottom and place == bottom[0][0]:
            out.print("   …")
        score = seller["score_micro"] / 1_000_000
        level = seller["public_level"]
        out.print(f"  {place:3}  {seller['seller_id']:24} {score:10.6f}  {level}")
    out.print()


def _course(stack: Stack, course: Course) -> None:
    """How a seller stood after each step; his points and the case against him, for him to see."""
    base = stack.description.urls["reputation"]
    out.print(f"How {course.seller_id} stood:")
    for step in course.steps:
        score = step.score_micro / 1_000_000
        out.print(f"  {score:10.6f}  {step.balance:3} points  {step.level:7}  {step.what}")
    out.print()
    seller = f"{base}/v1/sellers/{course.seller_id}"
    _paste(
        "this seller",
        stack.token("SELLER", course.seller_id),
        [f"{seller}/points", f"{base}{course.case}", f"{seller}/score/explain", f"{seller}/rates"],
    )


def _returns(stack: Stack, returned: Sequence[Returned]) -> None:
    """How they have ended, and what there is to see of them: by a buyer whom rules have answered,
    by a guest without an account, and by the desk where the provider has refused.
    """
    base = stack.description.urls["returns"]
    out.print("Returns, and what became of them:")
    with _client(stack, "AUDITOR", "auditor-1") as client:
        for each in returned:
            told = client.get(f"{base}{each.at}").raise_for_status().json()
            _return_line(each, told)
    out.print()
    by_name = {each.name: each for each in returned}
    fast, guest, refused = (by_name[name] for name in ("fast-lane", "withdrawal", "reissue"))
    _paste(
        "a buyer whose return was decided by rules, which its rule_trace names",
        stack.token("BUYER", fast.buyer_id),
        [f"{base}{fast.at}", f"{base}{fast.at}/events", f"{base}{fast.ledger}"],
    )
    _paste(
        "a buyer without an account, who has withdrawn by a link (good for 15 minutes)",
        stack.link_token(guest.order_id, guest.buyer_id),
        [f"{base}{guest.at}", f"{base}/v1/orders/{guest.order_id}/return-eligibility"],
    )
    _paste(
        "an agent who had a refused refund paid by another way",
        stack.token("AGENT", demo_disputes.AGENT),
        [f"{base}{refused.ledger}", f"{base}{refused.ledger}/events", f"{base}{refused.at}"],
    )


def _return_line(each: Returned, told: Mapping[str, Any]) -> None:
    given = told["end"]["refunded"]
    money = f"{given['amount'] / 100:.2f} {given['currency']}"
    ended = f"{told['lane']:9}  {told['end']['resolution']:9}  {money:>9}"
    out.print(f"  {each.order_id:16}  {ended}  {each.tells}")


def _paste(who: str, token: str, addresses: Iterable[str]) -> None:
    out.print(f"As {who}:", style="bold")
    out.print(f"TOKEN={token}")
    for address in addresses:
        out.print(f'curl -s -H "Authorization: Bearer $TOKEN" {address}')
    out.print()


def _client(stack: Stack, role: str, sub: str) -> httpx.Client:
    token = stack.token(role, sub)
    return httpx.Client(timeout=REQUEST_SECONDS, headers={"Authorization": f"Bearer {token}"})
