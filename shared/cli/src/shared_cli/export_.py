"""What the platform has in, files out: orders, reviews and refunds, line by line or in CSV; and all
that is known of one buyer.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO

import httpx
import typer
from local_stack.databases import SERVICES
from shared_events.characters import ID, is_id
from shared_runtime.fields import instant
from typer import Argument, Option, Typer

from shared_cli import export_buyer, export_pages, reach
from shared_cli.export_pages import Flat, Refused, Sink, WantedExport
from shared_cli.terminal import err

REFUSED = 1  # exit code
STANDARD_OUTPUT = Path("-")

app = Typer(no_args_is_help=True, help="Take orders, reviews, refunds, or a buyer's data out.")


def an_instant(said: str | None) -> str | None:
    """A day, or an instant, as RFC 3339 has it."""
    if said is None:
        return None
    try:
        at = instant(f"{said}T00:00:00Z" if len(said) == len("2026-01-31") else said)
    except ValueError as wrong:
        raise typer.BadParameter(f"{said!r}: {wrong}; or a day like 2026-01-31") from wrong
    return export_pages.told(at)


SinceOption = Annotated[
    str | None, Option("--since", callback=an_instant, help="From then on: a day, or an instant.")
]
UntilOption = Annotated[
    str | None, Option("--until", callback=an_instant, help="Before then: a day, or an instant.")
]
SellerOption = Annotated[str | None, Option("--seller", help="Of this seller alone.")]
OutputOption = Annotated[
    Path, Option("--output", "-o", metavar="FILE", help="Where it goes; - for the output.")
]
CsvOption = Annotated[bool, Option("--csv", help="CSV instead of NDJSON.")]
CursorOption = Annotated[
    str | None,
    Option("--cursor", help="Go on where another export broke off, at the end of its file."),
]
UrlOption = Annotated[str | None, Option("--url", help="The service, if not the running stack's.")]


@app.command("orders")
def orders_command(
    *,
    since: SinceOption = None,
    until: UntilOption = None,
    seller: SellerOption = None,
    output: OutputOption = STANDARD_OUTPUT,
    as_csv: CsvOption = False,
    cursor: CursorOption = None,
    url: UrlOption = None,
) -> None:
    """Export the orders placed in a period, with all that has become of them.

    The lines are those of `POST /v1/orders/bulk`, reviews included: `aftersales import FILE` takes
    them elsewhere. In CSV there is a row for each line of an order.

    Exit code 1 when it is refused, 2 for what is no instant, 3 when review-service does not answer.
    """
    wanted = WantedExport(since=since, until=until, seller_id=seller, cursor=cursor)
    flat = export_pages.order_rows if as_csv else None
    at = url or reach.service_url("review")
    _export(
        output,
        wanted,
        (flat, export_pages.ORDER_COLUMNS),
        lambda web, sink: export_pages.histories(web, at, "orders", wanted, sink),
    )


@app.command("reviews")
def reviews_command(
    *,
    since: SinceOption = None,
    until: UntilOption = None,
    seller: SellerOption = None,
    output: OutputOption = STANDARD_OUTPUT,
    as_csv: CsvOption = False,
    cursor: CursorOption = None,
    url: UrlOption = None,
) -> None:
    """Export the orders with a review that was written in a period and is revealed.

    `aftersales import FILE` brings them to an empty platform, where the same is public then. In
    CSV there is a row for each review.

    Exit code 1 when it is refused, 2 for what is no instant, 3 when review-service does not answer.
    """
    wanted = WantedExport(since=since, until=until, seller_id=seller, cursor=cursor)
    flat = export_pages.review_rows if as_csv else None
    at = url or reach.service_url("review")
    _export(
        output,
        wanted,
        (flat, export_pages.REVIEW_COLUMNS),
        lambda web, sink: export_pages.histories(web, at, "reviews", wanted, sink),
    )


@app.command("refunds")
def refunds_command(
    *,
    since: SinceOption = None,
    until: UntilOption = None,
    seller: SellerOption = None,
    output: OutputOption = STANDARD_OUTPUT,
    as_csv: CsvOption = False,
    cursor: CursorOption = None,
    url: UrlOption = None,
) -> None:
    """Export the refunds asked for in a period (else in the last 366 days), as they stand now.

    Exit code 1 when it is refused, 2 for what is no instant, 3 when returns-service does not
    answer.
    """
    wanted = WantedExport(since=since, until=until, seller_id=seller, cursor=an_instant(cursor))
    flat = export_pages.refund_rows if as_csv else None
    at = url or reach.service_url("returns")
    _export(
        output,
        wanted,
        (flat, ()),
        lambda web, sink: export_pages.refunds(web, at, wanted, sink),
    )


@app.command("buyer")
def buyer_command(
    buyer_id: Annotated[str, Argument(metavar="BUYER", help="The account.")],
    *,
    output: OutputOption = STANDARD_OUTPUT,
) -> None:
    """Export what is known of one buyer, as he may read it himself, from all four services.

    A line of NDJSON for each piece: `{"service": …, "path": …, "told": …}`. AFTERSALES_TOKEN, if it
    is set, is a token of that buyer's.

    Exit code 1 when it is refused, 2 for what is no id, 3 when a service does not answer.
    """
    if not is_id(buyer_id):
        raise typer.BadParameter(ID, param_hint="BUYER")
    urls = {service: reach.service_url(service) for service in SERVICES}
    _export(
        output,
        None,
        (None, ()),
        lambda web, sink: export_buyer.export(web, urls, buyer_id, sink),
        reach.bearer("BUYER", buyer_id),
    )


def _export(
    output: Path,
    wanted: WantedExport | None,
    form: tuple[Flat | None, tuple[str, ...]],
    run: Callable[[httpx.Client, Sink], None],
    who: dict[str, str] | None = None,
) -> None:
    """By an auditor, unless somebody else asks."""
    flat, columns = form
    cursor = wanted.cursor if wanted else None
    with ExitStack() as stack:
        is_file = output != STANDARD_OUTPUT
        file = stack.enter_context(_opened(output, cursor)) if is_file else sys.stdout.buffer
        sink = Sink(file, flat, columns, headed=cursor is not None)
        web = stack.enter_context(
            httpx.Client(
                headers=who or reach.bearer("AUDITOR"), timeout=export_pages.REQUEST_SECONDS
            )
        )
        try:
            run(web, sink)
        except Refused as refused:
            err.print(str(refused), markup=False)
            raise typer.Exit(REFUSED) from refused
    err.print(f"{sink.lines:,} lines", markup=False)


def _opened(output: Path, cursor: str | None) -> BinaryIO:
    """One that is gone on with is kept. Raises typer.BadParameter."""
    try:
        return output.open("ab" if cursor else "wb")
    except OSError as failure:
        raise typer.BadParameter(str(failure), param_hint="--output") from failure
