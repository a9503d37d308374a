"""The platform's logs in, a verdict out: whole and unchanged, and what follows from them, too."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import msgspec
import typer
from local_stack.errors import StackError
from reputation_service.domain.policy import DEFAULT, ScorePolicy, policy_from
from shared_runtime.decider import InvalidValue
from typer import Argument, Option, Typer

from shared_cli import audit_explain, audit_replay, audit_shares, audit_verify, bulk, reach
from shared_cli.audit_explain import Explanation
from shared_cli.audit_replay import NotReplayable, OtherPolicy, Past, Replayed
from shared_cli.audit_shares import Summed
from shared_cli.audit_verify import Verified
from shared_cli.bulk_line import Problem
from shared_cli.terminal import err, out, progress

DIFFERENT = 1  # exit code
SHOWN_DIFFERENCES = 10
LARGEST_MAX = 1_000
REQUEST_SECONDS = 60.0

app = Typer(no_args_is_help=True, help="Check the logs, and every score against them.")

Json = Annotated[bool, Option("--json", help="One JSON object instead of lines.")]


@app.command()
def verify(*, as_json: Json = False) -> None:
    """Recompute the hash chains of all logs, and compare Kafka with them byte for byte.

    Of every log: positions 1 to n without a hole, every leaf and chain hash, the heads, and that
    the columns say what the hashed bytes say. Of every topic: key, value and headers of each
    record, none missing, none too many; what was sent twice is counted.

    Exit code 0 when all is equal, 1 when something differs (the first difference of each
    partition is named), 3 when a server does not answer.
    """
    verified = asyncio.run(audit_verify.verify(reach.databases(), reach.kafka(), progress()))
    if as_json:
        typer.echo(msgspec.json.encode({"equal": not verified.differences} | asdict(verified)))
    else:
        _print_verified(verified)
    if verified.differences:
        raise typer.Exit(DIFFERENT)


@app.command()
def replay(
    *,
    policy: Annotated[
        Path | None, Option(help="The score policy of the live service, if not the default (JSON).")
    ] = None,
    instants: Annotated[
        int, Option(min=0, help="At so many past instants, too: the scores of all.")
    ] = 0,
    seed: Annotated[int, Option(help="Which instants these are.")] = 1,
    as_json: Json = False,
) -> None:
    """Fold all scores and points again, from Kafka alone and from the databases alone, and compare
    them.

    Both are compared with the live service as of one instant: scores to the last micro-point,
    levels, and the digest of every account's sums; of sellers and buyers the balance of points, its
    level and the measures in force.

    Exit code 0 when all is equal, 1 when something differs (it is named), 2 when the policy cannot
    be read, 3 when a server does not answer.
    """
    try:
        replayed = asyncio.run(
            audit_replay.replay(
                bootstrap=reach.kafka(),
                databases=reach.databases(),
                reputation_url=reach.service_url("reputation"),
                headers=reach.bearer("AUDITOR"),
                policy=_policy(policy),
                past=Past(instants=instants, seed=seed),
                say=progress(),
            )
        )
    except OtherPolicy as other:
        raise typer.BadParameter(
            f"the live service reads with policy {other}: give its file", param_hint="--policy"
        ) from other
    except NotReplayable as failure:
        if as_json:
            typer.echo(msgspec.json.encode({"equal": False, "not_replayable": str(failure)}))
        else:
            out.print(f"cannot be folded: {failure}", markup=False)
        raise typer.Exit(DIFFERENT) from failure
    if as_json:
        typer.echo(msgspec.json.encode({"equal": not replayed.differences} | asdict(replayed)))
    else:
        _print_replayed(replayed)
    if replayed.differences:
        raise typer.Exit(DIFFERENT)


@app.command()
def shares(*, as_json: Json = False) -> None:
    """Ask why of every seller: what his events add makes his means, and those his score.

    Exit code 0 when all adds up, 1 when something does not (it is named), 3 when the service does
    not answer.
    """

    async def ask() -> Summed:
        async with bulk.client(reach.bearer("AUDITOR")) as web:
            with reach.reaching("reputation-service"):
                return await audit_shares.shares(web, reach.service_url("reputation"))

    summed = asyncio.run(ask())
    if as_json:
        typer.echo(msgspec.json.encode(summed))
    else:
        verdict = "all add up" if not summed.differences else "DIFFERENT"
        _print_first(summed.differences, "sums")
        out.print(f"{summed.shares:,} shares of {summed.sellers:,} sellers: {verdict}")
    if summed.differences:
        raise typer.Exit(DIFFERENT)


@app.command()
def explain(
    seller: Annotated[str, Argument(metavar="SELLER", help="His account.")],
    *,
    as_of: Annotated[
        str | None, Option(help="What was known at this instant: 2026-01-31T12:00:00Z.")
    ] = None,
    largest: Annotated[
        int, Option(min=1, max=LARGEST_MAX, help="How many events of each dimension to list.")
    ] = 20,
    as_json: Json = False,
) -> None:
    """List the events behind a seller's score, with what each adds to it.

    Exit code 1 when there is no such seller, 3 when the service does not answer.
    """
    query = {"largest": str(largest)} | ({"as_of": as_of} if as_of else {})
    url = f"{reach.service_url('reputation')}/v1/sellers/{quote(seller, safe='')}/score/explain"
    with reach.reaching("reputation-service"):
        answer = httpx.get(
            url, params=query, headers=reach.bearer("AUDITOR"), timeout=REQUEST_SECONDS
        )
    if answer.is_client_error:
        err.print(f"{seller}: {problem_of(answer)}", markup=False)
        raise typer.Exit(DIFFERENT)
    if not answer.is_success:
        raise StackError(f"reputation-service does not answer: {answer.text}")
    if as_json:
        typer.echo(answer.content)
    else:
        _print_explanation(msgspec.json.decode(answer.content, type=Explanation))


def problem_of(answer: httpx.Response) -> str:
    """What a service refuses with, in words: `not-found: No such object for you.`"""
    try:
        problem = msgspec.json.decode(answer.content, type=Problem)
    except msgspec.DecodeError:
        return answer.text
    return f"{problem}: {problem.detail}" if problem.detail else str(problem)


def _print_explanation(found: Explanation) -> None:
    out.print(audit_explain.headline(found), style="bold", markup=False)
    _print_table(audit_explain.dimensions_table(found))
    _print_table(audit_explain.shares_table(found))
    for what, facts, count in (
        ("do not count", found.excluded, found.excluded_events),
        ("count less", found.reduced, found.reduced_events),
    ):
        if count:
            out.print(f"\n{count:,} events {what}:", style="bold", end="")
            _print_table(audit_explain.facts_table(facts))
    out.print(f"\n{audit_explain.advice(found.what_would_raise)}")


def _print_table(lines: list[str]) -> None:
    header, *rows = lines
    out.print(f"\n{header}", style="bold", markup=False)
    for row in rows:
        out.print(row, markup=False)


def _print_verified(verified: Verified) -> None:
    _print_first([str(difference) for difference in verified.differences], "partitions")
    verdict = "DIFFERENT" if verified.differences else "equal"
    out.print(
        f"{verified.events:,} events in the logs, {verified.records:,} records in Kafka "
        f"({verified.duplicates:,} sent twice): {verdict}",
        style="bold",
    )


def _print_replayed(replayed: Replayed) -> None:
    _print_first([str(difference) for difference in replayed.differences], "accounts")
    for side, digest in replayed.state_sha256.items():
        out.print(f"{side:10} {replayed.events[side]:,} events, state {digest}", markup=False)
    verdict = "DIFFERENT" if replayed.differences else "equal to the last micro-point"
    if replayed.past:
        out.print(f"the scores of all also as of {replayed.past:,} past instants")
    out.print(
        f"{replayed.accounts['live']:,} accounts with a score, {replayed.with_points['live']:,} "
        f"with points, as of {replayed.as_of:%Y-%m-%dT%H:%M:%S.%fZ}: {verdict}",
        style="bold",
    )


def _print_first(differences: list[str], of_what: str) -> None:
    for difference in differences[:SHOWN_DIFFERENCES]:
        out.print(difference, markup=False)
    if len(differences) > SHOWN_DIFFERENCES:
        out.print(f"… and {len(differences) - SHOWN_DIFFERENCES:,} more {of_what}")


def _policy(file: Path | None) -> ScorePolicy:
    if file is None:
        return DEFAULT
    try:
        return policy_from(msgspec.json.decode(file.read_bytes(), type=dict[str, Any]))
    except OSError as failure:
        raise typer.BadParameter(f"{file}: {failure.strerror}") from failure
    except msgspec.MsgspecError as failure:
        raise typer.BadParameter(f"{file}: {failure}") from failure
    except InvalidValue as refused:
        wrong = "; ".join(f"{error.field}: {error.bound}" for error in refused.errors)
        raise typer.BadParameter(f"{file}: {wrong}") from refused
