"""Bytes that come in or go out slowly, kept on disk for as long as that takes.

What waits for a slow line costs a file on disk, not memory. Few bytes stay in memory; more are in
a file without a name, under a key that is nowhere but in this process: what people send is not
readable there, then or later.
"""

import asyncio
from secrets import token_bytes
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

MEMORY_BYTES_MAX = 1024 * 1024
KEY_BYTES = 32
BLOCK_BYTES = 16


class Spool:
    """Written from the beginning to the end, then read once, the same way."""

    def __init__(self) -> None:
        # Good for one text: the key is used once, so its counter may begin anywhere.
        cipher = Cipher(AES(token_bytes(KEY_BYTES)), CTR(bytes(BLOCK_BYTES)))
        self._encryptor, self._decryptor = cipher.encryptor(), cipher.decryptor()
        self.file = SpooledTemporaryFile(MEMORY_BYTES_MAX)  # noqa: SIM115 - closed in __exit__
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()

    async def write(self, part: bytes) -> None:
        self.size += len(part)
        if self.size <= MEMORY_BYTES_MAX:
            self._write(part)
        else:
            await asyncio.to_thread(self._write, part)

    async def rewind(self) -> None:
        """Between the last `write` and the first `read`."""
        await asyncio.to_thread(self.file.seek, 0)

    async def read(self, count: int) -> bytes:
        """The next bytes, `count` at most; none at the end."""
        if self.size <= MEMORY_BYTES_MAX:
            return self._read(count)
        return await asyncio.to_thread(self._read, count)

    def _write(self, part: bytes) -> None:
        self.file.write(self._encryptor.update(part))

    def _read(self, count: int) -> bytes:
        return self._decryptor.update(self.file.read(count))
