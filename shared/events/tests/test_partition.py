"""The partition of an account is the same everywhere and for ever."""

from binascii import crc32

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_stack.databases import Database
from shared_events.partition import PARTITIONS, partition_of

KNOWN = {
    "": 0,
    "123456789": 38,  # the check value of CRC-32: 0xCBF43926
    "S1": 18,
    "S-17": 30,
    "B-42": 46,
    "3442f8959a84dea7ee197c632cb2df15": 44,
    "vendedor-são-paulo": 2,
    "売り手": 21,
}


@pytest.mark.parametrize(("key", "partition"), KNOWN.items())
def test_these_accounts_have_had_these_partitions_from_the_start(key: str, partition: int) -> None:
    assert partition_of(key) == partition


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_partition_is_the_crc_32_of_the_utf_8_bytes_modulo_64(key: str) -> None:
    assert partition_of(key) == crc32(key.encode("utf-8")) % 64
    assert 0 <= partition_of(key) < PARTITIONS == 64


async def test_postgresql_agrees(database: Database) -> None:
    connection = await asyncpg.connect(database.app_url)
    try:
        rows = await connection.fetch(
            "SELECT crc32(convert_to(key, 'UTF8')) % 64 FROM unnest($1::text[]) AS key",
            list(KNOWN),
        )
    finally:
        await connection.close()
    assert [row[0] for row in rows] == list(KNOWN.values())
