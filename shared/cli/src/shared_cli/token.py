"""Roles and an account in, a token for the running stack out."""

from pathlib import Path
from typing import Annotated, get_args

import typer
from local_stack import description, issuer
from shared_events.characters import ID, is_id
from shared_runtime.decider import Role
from typer import Option

from shared_cli.terminal import duration

ROLES = get_args(Role.__value__)


def token(
    role: Annotated[list[str], Option(help=f"One of {', '.join(ROLES)}; may be repeated.")],
    sub: Annotated[str, Option(help="The account, or the member of staff.")],
    *,
    seller_id: Annotated[
        str | None, Option(help="The seller account he is a member of, if it is not that of --sub.")
    ] = None,
    org_id: Annotated[str | None, Option(help="His organisation.")] = None,
    withdrawal_of: Annotated[
        str | None,
        Option(
            metavar="ORDER",
            help="Good for nothing but to withdraw from this order: what a link gives to its buyer "
            "without an account.",
        ),
    ] = None,
    ttl: Annotated[
        str | None,
        Option(help="How long it is good for: 15d, 36h, 90s. Else 12h; to withdraw, 15m."),
    ] = None,
) -> None:
    """Print a token for the running stack."""
    roles = [name.upper() for name in role]
    if unknown := [name for name in roles if name not in ROLES]:
        raise typer.BadParameter(
            f"no such role: {', '.join(unknown)}; there are {', '.join(ROLES)}"
        )
    if not is_id(sub):
        raise typer.BadParameter(ID, param_hint="--sub")
    running = description.running()
    typer.echo(
        issuer.mint(
            Path(running.issuer_key).parent,
            sub=sub,
            roles=roles,
            ttl_seconds=int(duration(ttl).total_seconds()) if ttl else None,
            seller_id=seller_id,
            org_id=org_id,
            withdrawal_of=withdrawal_of,
        )
    )
