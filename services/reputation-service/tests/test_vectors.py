"""The published vectors: what they expect is what this release computes, to the last bit."""

from pathlib import Path

import msgspec
import pytest
from reputation_service.domain.facts import Fact
from reputation_service.domain.fold import Facts, fold, state_sha256, sum_rows
from reputation_service.domain.ledger import LedgerRow, steps
from shared_cli.vector_case import CaseFile, fact_of
from shared_cli.vectors import check_file

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY.parent / "shared" / "vectors" / "reputation"
FILES = sorted(FOLDER.glob("*.json"))
CASES = [path for path in FILES if path.name[0].isdigit()]

pytestmark = pytest.mark.skipif(
    not FILES, reason="the vectors are not beside the repository: ../shared/vectors/reputation"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_vector_file_agrees(path: Path) -> None:
    checked = check_file(path)
    assert checked.differences == []
    assert checked.values > 50


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_ledger_written_as_facts_arrive_says_the_same(path: Path) -> None:
    case = msgspec.json.decode(path.read_bytes(), type=CaseFile)
    arriving = [fact_of(row) for row in case.events]
    known: dict[tuple[str, ...], list[Fact]] = {}
    written: dict[tuple[str, ...], list[LedgerRow]] = {}
    for fact in arriving:
        key = (fact.seller_id, fact.dimension, fact.entity_id)
        held = known.setdefault(key, [])
        rows = written.setdefault(key, [])
        rows += steps(held, rows, [fact])
        held.append(fact)
    ledger = [row for rows in written.values() for row in rows]
    facts = Facts(arriving)
    for query in case.queries:
        state = fold(facts.in_force(query.as_of, query.day))
        assert state_sha256(sum_rows(ledger, query.as_of, query.day)) == state_sha256(state)
