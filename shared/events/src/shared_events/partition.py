"""Account id in, log partition out: the same everywhere and for ever."""

from zlib import crc32

PARTITIONS = 64


def partition_of(key: str) -> int:
    """The partition of a key: CRC-32 (zlib's, PostgreSQL's `crc32()`) of its UTF-8 bytes mod 64."""
    return crc32(key.encode()) % PARTITIONS
