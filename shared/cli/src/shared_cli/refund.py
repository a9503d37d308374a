"""Refunds at the terminal: vectors checked, a day reconciled, a provider that misbehaves."""

import time
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any

import httpx
import msgspec
import typer
from local_stack.errors import StackError
from local_stack.services import ephemeral_stack
from typer import Option, Typer

from shared_cli import reach
from shared_cli.checked import AsJson, Files, tell
from shared_cli.refund_torture import TO_LOOK_INTO, Torture, WantedTorture, lines_of
from shared_cli.refund_vectors import check_file
from shared_cli.terminal import out, progress, stop_on_signals

REQUEST_SECONDS = 30.0
COMPARED_SECONDS = 300.0
LOOK_SECONDS = 0.5
DIFFERENT = 1
USAGE = 2

app = Typer(no_args_is_help=True, help="Refunds.")


@app.callback()
def refund() -> None:
    """Refunds."""


@app.command()
def check(files: Files, *, as_json: AsJson = False) -> None:
    """Decide vector files of the ledger with the service's own rules, and print each difference.

    Not those of who decides a request for a return. Exit code 0 when all agree, 1 when something
    differs, 2 when a file is no vector file.
    """
    tell(files, check_file, as_json=as_json)


# --- A day, beside the provider's book


@app.command()
def reconcile(
    day: Annotated[str, Option(help="The day (UTC): 2026-03-10.")], *, as_json: AsJson = False
) -> None:
    """Compare a day of the provider's book with the ledgers now, and print what came of it.

    What was lost on the way is recorded. Exit code 0 when both sides agree then, 1 when something
    is to be looked into, 2 for what is no day, 3 when the service or the provider does not answer.
    """
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        raise typer.BadParameter(f"{day!r} is no day: 2026-03-10") from None
    report = _compared(wanted)
    if as_json:
        typer.echo(msgspec.json.encode(report))
    else:
        for line in _lines(report):
            out.print(line, markup=False)
    if not report["clean"]:
        raise typer.Exit(DIFFERENT)


def _compared(day: date) -> dict[str, Any]:
    url = f"{reach.service_url('returns')}/v1/reconciliations/{day}"
    who = reach.bearer("AGENT")
    with reach.reaching("returns-service"), httpx.Client(headers=who) as web:
        asked = web.put(url, timeout=REQUEST_SECONDS)
        if asked.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise typer.BadParameter(asked.json()["errors"][0]["bound"])
        asked.raise_for_status()
        deadline = time.monotonic() + COMPARED_SECONDS
        while time.monotonic() < deadline:
            answered = web.get(url, timeout=REQUEST_SECONDS).raise_for_status()
            report: dict[str, Any] = answered.json()
            if report["state"] == "COMPARED":
                return report
            time.sleep(LOOK_SECONDS)
    raise StackError(f"{day} is not compared yet: does the payment provider answer?")


def _lines(report: dict[str, Any]) -> list[str]:
    amounts = ", ".join(
        f"{each['amount']:,} {each['currency']}" for each in report["agreed_amounts"]
    )
    lines = [
        f"{report['day']}: {report['listed']:,} refunds at the provider, {report['agreed']:,} agree"
        + (f" ({amounts} in minor units)" if amounts else ""),
        f"{report['waiting']:,} are under way on both sides",
        f"{len(report['settled']):,} were lost, and are recorded now",
    ]
    for name in ("settled", *TO_LOOK_INTO):
        for each in report[name]:
            money = each["amount"]
            lines.append(
                f"  {name:12} {each['refund_id']} of {each['order_id']}: "
                f"{money['amount']:,} {money['currency']}, there {each['theirs'] or 'not'}, "
                f"here {each['ours'] or 'not'} ({', '.join(each['gateway_refs'])})"
            )
    return lines


# --- A provider that misbehaves


@app.command()
def torture(
    refunds: Annotated[int, Option(min=1, help="How many.")] = 10_000,
    seed: Annotated[int, Option(help="What is drawn follows from it.")] = 1,
    kill_every: Annotated[float, Option(help="Seconds between two deaths of the worker.")] = 4.0,
    *,
    as_json: AsJson = False,
) -> None:
    """Run refunds on a stack of its own against a provider that misbehaves, and kill the worker.

    One call in five times out, one answer in twenty is lost, one webhook in ten comes twice, one
    idempotency key in twenty is forgotten at once. Exit code 0 when each refund was paid once and
    all books say so, 1 when not.
    """
    stop_on_signals()
    say = progress()
    wanted = WantedTorture(refunds=refunds, seed=seed, kill_every=kill_every)
    with ephemeral_stack(say) as started:
        figures = Torture(started, wanted, say).run()
    if as_json:
        typer.echo(msgspec.json.encode(figures))
    else:
        for line in lines_of(figures):
            out.print(line, markup=False)
    if not figures.is_good:
        raise typer.Exit(DIFFERENT)
