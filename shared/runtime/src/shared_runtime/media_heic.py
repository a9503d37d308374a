"""A HEIC in, the same picture as a JPEG out, made by a process of its own."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from shared_runtime import media_turned
from shared_runtime.media_types import PIXELS_MAX, InvalidFile

TURNED_MAX = 1
"""At once, of a process of ours: one of 40 megapixels takes 330 MB beside what we have."""
SECONDS_MAX = 30.0
PROGRAM = Path(media_turned.__file__)


async def as_jpeg(data: bytes) -> bytes:
    """Raises `InvalidFile`. What it does not need of the environment, the process has not."""
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
    except TimeoutError as failure:
        raise InvalidFile(reason="DAMAGED") from failure
    finally:
        if turning.returncode is None:
            turning.kill()
            await turning.wait()
    if turning.returncode == media_turned.TOO_MANY_PIXELS:
        raise InvalidFile(reason="TOO_MANY_PIXELS")
    if turning.returncode != 0:
        raise InvalidFile(reason="DAMAGED")
    return picture
