"""A HEIC from the standard input in, the same picture as a JPEG to the standard output out.

    python media_turned.py 40000000 < lamp.heic > lamp.jpg

A program of its own, without our memory or environment: what decodes HEVC is large and fed by
strangers, and what breaks it ends this process alone. The argument is how many pixels a picture may
have.
"""

import resource
import sys
from io import BytesIO
from typing import BinaryIO

MEMORY_BYTES_MAX = 512 * 1024 * 1024
"""Of addresses. 40 megapixels take 384 MiB of them, and 332 MiB of memory."""
CPU_SECONDS_MAX = 20
QUALITY = 85
TOO_MANY_PIXELS = 3
"""What it ends with. With anything else but 0 it could not be decoded."""


def turn(data: bytes, pixels_max: int, out: BinaryIO) -> int:
    """Only pixels and their colours are written; which way is up is in how they lie."""
    from pi_heif import register_heif_opener  # noqa: PLC0415 - after the limits
    from PIL import Image  # noqa: PLC0415

    register_heif_opener(thumbnails=False, decode_threads=1)
    with Image.open(BytesIO(data), formats=["HEIF"]) as picture:
        if picture.width * picture.height > pixels_max:
            return TOO_MANY_PIXELS
        profile = picture.info.get("icc_profile")
        picture.convert("RGB").save(out, "JPEG", quality=QUALITY, icc_profile=profile)
    return 0


def limit(memory_bytes_max: int = MEMORY_BYTES_MAX, cpu_seconds_max: int = CPU_SECONDS_MAX) -> None:
    """Of this process: beyond it are `MemoryError` and SIGXCPU."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
    # Where both are one, the end is SIGKILL, which is also how others end it.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds_max, cpu_seconds_max + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    limit()
    sys.exit(turn(sys.stdin.buffer.read(), int(sys.argv[1]), sys.stdout.buffer))
