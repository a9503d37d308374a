"""The key-encryption key of a stack: made at the first start, kept, and nobody else's to read."""

import stat
from pathlib import Path

import asyncpg
import pytest
from local_stack.databases import SEALING, create_key_databases, drop_database
from local_stack.kek import ensure_kek, kek_file
from local_stack.servers import Servers


def test_it_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    ensure_kek(tmp_path)
    made = kek_file(tmp_path).read_text()
    assert stat.S_IMODE(kek_file(tmp_path).stat().st_mode) == 0o600
    ensure_kek(tmp_path)
    assert kek_file(tmp_path).read_text() == made


def test_a_half_written_one_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / ".kek").write_text("local-1:ha")
    ensure_kek(tmp_path)
    assert kek_file(tmp_path).read_text().startswith("local-")
    assert [entry.name for entry in tmp_path.iterdir()] == ["kek"]


@pytest.mark.servers
async def test_each_service_that_seals_has_a_key_database_beside_its_own(servers: Servers) -> None:
    made = create_key_databases(servers.postgres_url, "test_kek_")
    assert set(made) == set(SEALING)
    for service, database in made.items():
        assert database.name == f"test_kek_{service}_keys"
        app = await asyncpg.connect(database.app_url)
        await app.close()
        drop_database(servers.postgres_url, database.name)
