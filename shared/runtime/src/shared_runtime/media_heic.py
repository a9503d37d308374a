"""A HEIC in, the same picture as a JPEG out, made by a process of its own."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from signal import SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGXCPU

from shared_runtime import media_turned
from shared_runtime.media_types import PIXELS_MAX, InvalidFile
from shared_runtime.problems import Unavailable

SECONDS_MAX = 30.0
OF_THE_FILE = frozenset(-each for each in (SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGXCPU))
"""Signals that a file brings upon its decoder. By any other somebody else has ended it."""
PROGRAM = Path(media_turned.__file__)


async def as_jpeg(data: bytes) -> bytes:
    """Raises `InvalidFile`; `Unavailable` if its end was not the file's fault, or did not come in
    time. The process has nothing of our environment.
    """
    turning = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", PROGRAM, str(PIXELS_MAX)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            picture, _ = await turning.communicate(data)
            ended = await turning.wait()
    except TimeoutError as failure:
        raise Unavailable from failure
    finally:
        if turning.returncode is None:
            turning.kill()
            await turning.wait()
    if ended == 0:
        return picture
    if ended == media_turned.TOO_MANY_PIXELS:
        raise InvalidFile(reason="TOO_MANY_PIXELS")
    if ended > 0 or ended in OF_THE_FILE:
        raise InvalidFile(reason="DAMAGED")
    raise Unavailable
