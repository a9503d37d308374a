"""Nothing in, the whole platform on this machine out: to look at, or for the time of a command."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from local_stack import description
from local_stack.servers import postgres_folder
from local_stack.services import Stack, ephemeral_stack, stack, usual_ports
from typer import Argument, Option, Typer

from shared_cli import welcome
from shared_cli.terminal import err, progress, stop_on_signals

NOT_FOUND = 127  # as a shell has it
LOOK_SECONDS = 0.5

app = Typer(no_args_is_help=True, help="PostgreSQL, Kafka and the services on this machine.")


@app.command()
def run(
    demo: Annotated[bool, Option(help="Load the demo marketplace.")] = True,
) -> None:
    """Start everything, load the demo marketplace, print the URLs; Ctrl-C stops it all."""
    stop_on_signals()
    say = progress()
    try:
        with stack(description.stack_folder(), ports=usual_ports(), say=say) as started:
            try:
                say("ready")
                welcome.urls(started)
                if demo:
                    welcome.load_demo(started, say)
                welcome.first_steps(started)
                _watch(started)
            except KeyboardInterrupt:
                say("stopping")
    except KeyboardInterrupt:
        say("stopped before it was ready")
        raise typer.Exit(130) from None
    say("stopped")


@app.command(
    "exec", context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True}
)
def execute(
    command: Annotated[list[str], Argument(metavar="-- COMMAND", help="With its arguments.")],
) -> None:
    """Run a command beside an ephemeral stack; its exit code is the command's.

    The command finds AFTERSALES_REVIEW_URL, _DISPUTE_URL, _RETURNS_URL, _REPUTATION_URL,
    AFTERSALES_KAFKA, AFTERSALES_POSTGRES_URL (the administrator's) and AFTERSALES_STACK in its
    environment.
    """
    stop_on_signals()
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if shutil.which(command[0], path=programs) is None:
        err.print(f"{command[0]}: command not found", markup=False)
        raise typer.Exit(NOT_FOUND)
    try:
        with ephemeral_stack(progress()) as started:
            env = os.environ | started.environment() | {"PATH": programs}
            code = _wait_for(subprocess.Popen(command, env=env))  # noqa: S603 - asked for
    except KeyboardInterrupt:
        code = 130
    raise typer.Exit(code)


@app.command()
def clean() -> None:
    """Remove the data of the stack that `stack run` keeps."""
    folder = description.stack_folder()
    if not folder.exists():
        return
    with description.locked(folder, patience_seconds=0):
        for data in (folder, postgres_folder(folder)):
            shutil.rmtree(data, ignore_errors=True)


def _wait_for(process: subprocess.Popen[bytes]) -> int:
    """Its exit code, as a shell has it. An interruption is handed on, and waited for."""
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.terminate()
        code = process.wait()
    return code if code >= 0 else 128 - code


def _watch(started: Stack) -> None:
    """Waits for Ctrl-C; tells of a process that ends by itself, and restarts nothing."""
    told: set[str] = set()
    while True:
        for service in started.ended():
            if service.name not in told:
                told.add(service.name)
                err.print(f"{service.name} has ended; see {service.log}", markup=False)
        time.sleep(LOOK_SECONDS)
