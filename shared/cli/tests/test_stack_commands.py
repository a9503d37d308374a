"""Commands that talk to the running stack: by its description, while it holds its lock."""

import json
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from local_stack import description, issuer
from local_stack.description import Description
from local_stack.errors import StackError
from shared_cli.main import app
from shared_runtime.auth import SCOPED_SECONDS_MAX
from typer.testing import CliRunner


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AFTERSALES_STACK", str(tmp_path))
    return tmp_path


@pytest.fixture
def running(folder: Path) -> Generator[Path]:
    """As far as these commands can see, a stack runs here."""
    with description.locked(folder, patience_seconds=0):
        issuer.ensure_key(folder)
        described = Description(
            pid=1,
            urls={},
            worker_urls={},
            kafka="",
            postgres_url="",
            databases={},
            issuer=issuer.ISSUER,
            audience=issuer.AUDIENCE,
            issuer_key=str(issuer.key_file(folder)),
            jwks=str(issuer.jwks_file(folder)),
            clock_file=str(folder / "clock"),
            logs=str(folder),
        )
        description.save(folder, described)
        yield folder


def call(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_a_token_is_signed_with_a_key_of_the_published_set(running: Path) -> None:
    text = call(
        "token", "--role", "seller", "--role", "BUYER", "--sub", "S1", "--ttl", "1h"
    ).strip()
    keys = KeySet.import_key_set(json.loads(issuer.jwks_file(running).read_text()))
    token = jwt.decode(text, keys, algorithms=["ES256"])
    assert token.header["alg"] == "ES256"
    expected = {"iss": issuer.ISSUER, "aud": "aftersales", "sub": "S1"}
    assert expected.items() <= token.claims.items()
    assert token.claims["roles"] == ["SELLER", "BUYER"]
    assert token.claims["exp"] - time.time() == pytest.approx(3600, abs=60)


def test_the_published_set_holds_no_private_half(running: Path) -> None:
    [key] = json.loads(issuer.jwks_file(running).read_text())["keys"]
    assert "d" not in key
    assert issuer.key_file(running).stat().st_mode & 0o077 == 0


def test_a_member_of_a_seller_account_names_it(running: Path) -> None:
    text = call("token", "--role", "SELLER", "--sub", "M1", "--seller-id", "S1").strip()
    keys = KeySet.import_key_set(json.loads(issuer.jwks_file(running).read_text()))
    assert jwt.decode(text, keys).claims["seller_id"] == "S1"


def test_a_token_to_withdraw_names_its_order_and_is_soon_over(running: Path) -> None:
    text = call("token", "--role", "BUYER", "--sub", "guest", "--withdrawal-of", "O-1").strip()
    keys = KeySet.import_key_set(json.loads(issuer.jwks_file(running).read_text()))
    claims = jwt.decode(text, keys).claims
    assert (claims["scope"], claims["order_id"]) == ("withdrawal", "O-1")
    assert claims["exp"] - claims["iat"] == issuer.LINK_SECONDS < SCOPED_SECONDS_MAX


@pytest.mark.usefixtures("running")
def test_an_unknown_role_is_refused_with_the_ones_there_are() -> None:
    assert "AUDITOR" in call("token", "--role", "KING", "--sub", "S1", code=2)
    assert "--sub" in call("token", "--role", "BUYER", "--sub", "", code=2)


def test_the_clock_is_advanced_and_never_set_back(running: Path) -> None:
    assert "(0:00:00 ahead)" in call("clock", "show")
    assert "15 days, 0:00:00 ahead" in call("clock", "advance", "15d")
    assert "15 days, 12:00:00 ahead" in call("clock", "advance", "12h")
    assert (running / "clock").read_text() == f"{15 * 86_400 + 12 * 3_600}\n"
    call("clock", "advance", "soon", code=2)
    call("clock", "advance", "-5d", code=2)


@pytest.mark.usefixtures("folder")
def test_without_a_running_stack_one_is_told_how_to_start_it() -> None:
    assert "make run" in call("token", "--role", "BUYER", "--sub", "B1", code=3)


def test_what_a_killed_stack_said_is_not_believed(folder: Path) -> None:
    (folder / "stack.json").write_text("{}")
    (folder / "lock").touch()
    with pytest.raises(StackError, match="no stack is running"):
        description.running(folder)


def test_a_second_stack_in_the_folder_is_told_of_the_first(running: Path) -> None:
    with (
        pytest.raises(StackError, match="another stack is running"),
        description.locked(running, patience_seconds=0),
    ):
        pass
