"""The page's commands make every Secret that production looks for: pasted as they stand, with a
kubectl that prints what it would make.
"""

import os
import re
import subprocess
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from deploy_checks.facts import SERVICES
from deploy_checks.joined import left_to_others
from deploy_checks.render import (
    K8S,
    REPOSITORY,
    Absent,
    Rendered,
    Resource,
    environment_of,
    rendered,
    tool,
)
from deploy_checks.secrets import GATEWAY, OWNER, loaded, secrets_of
from deploy_tools.host_mode import own_certificate

BY_HAND = re.compile(r"### By hand\n.*?```bash\n(.*?)```", re.DOTALL)
PRINTING = """
kubectl() {
  if [ "$1" = apply ]; then test -e "$3"; return; fi
  command kubectl "$@" --dry-run=client --output=yaml && echo ---
}
"""
GIVEN = {
    "PAYMENT_KEY": "p",
    "PAYMENT_WEBHOOK_SECRET": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "CARRIER_KEY": "c",
    "CARRIER_WEBHOOK_SECRET": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "STOCK_KEY": "s",
}
SECONDS_MAX = 120
of_every_service = pytest.mark.parametrize("service", SERVICES)

type Members = dict[str, str]


@pytest.fixture(scope="module")
def production() -> Rendered:
    try:
        return Rendered(rendered(K8S / "overlays" / "prod"))
    except Absent as why:
        pytest.skip(str(why))


@pytest.fixture(scope="module")
def made(production: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Resource]:
    """The Secrets, by their names."""
    assert production
    folder = tmp_path_factory.mktemp("by-hand")
    (folder / "deploy").symlink_to(REPOSITORY / "deploy")
    tls = own_certificate()
    (folder / "gateway.crt").write_text(tls.certificate)
    (folder / "gateway.key").write_text(tls.key)
    [pasted] = BY_HAND.findall((REPOSITORY / "docs" / "kubernetes.md").read_text())
    path = f"{Path(tool('kubectl')).parent}:{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S603 - our own page
        ["/bin/bash", "-euc", PRINTING + pasted],
        cwd=folder,
        env={**os.environ, **GIVEN, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr
    told = [each for each in yaml.safe_load_all(done.stdout) if each]
    assert {each["kind"] for each in told} == {"Secret"}
    assert {each["metadata"]["namespace"] for each in told} == {"aftersales"}
    return {each["metadata"]["name"]: each for each in told}


def members(secret: Resource) -> Members:
    return {name: b64decode(value).decode() for name, value in secret["data"].items()}


def test_every_secret_that_is_looked_for_is_made_and_no_other(
    production: Rendered, made: Mapping[str, Resource]
) -> None:
    assert {*made} == left_to_others(production)
    assert made[GATEWAY]["type"] == "kubernetes.io/tls"


@of_every_service
def test_a_service_begins_with_what_is_made(
    service: str, production: Rendered, made: Mapping[str, Resource]
) -> None:
    told = members(made[f"{service}-secrets"])
    assert {*told} == {*secrets_of(service)}
    for kind in ("api", "worker"):
        deployment = production.named("Deployment", f"{service}-{kind}")
        assert deployment is not None
        environment = environment_of(production, deployment["spec"]["template"])
        settings = loaded(service, environment, told)
        assert settings.keks is not None
    assert {*members(made[f"{service}-owner"])} == {*OWNER}


@of_every_service
def test_whoever_comes_to_a_database_is_the_role_that_is_made_there(
    service: str, made: Mapping[str, Resource]
) -> None:
    urls = members(made[f"{service}-secrets"]) | members(made[f"{service}-owner"])
    for role, database, name in (
        ("database-app-role", "aftersales", "aftersales_database_url"),
        ("database-owner", "aftersales", "aftersales_migration_url"),
        ("keys-app-role", "aftersales_keys", "aftersales_keys_url"),
        ("keys-owner", "aftersales_keys", "aftersales_keys_migration_url"),
    ):
        secret, url = made[f"{service}-{role}"], urlsplit(urls[name])
        assert secret["type"] == "kubernetes.io/basic-auth"
        assert {"username": url.username, "password": url.password} == members(secret)
        kind = role.partition("-")[0]
        assert (url.hostname, url.path) == (f"{service}-{kind}-rw", f"/{database}")
        assert url.query.endswith(f"sslrootcert=/etc/aftersales/trust/{kind}.crt")


def test_all_services_have_one_token_key_and_nothing_else_alike(
    made: Mapping[str, Resource],
) -> None:
    told = [members(made[f"{service}-secrets"]) for service in SERVICES]
    assert len({each["aftersales_token_key"] for each in told}) == 1
    for name in ("aftersales_kek", "aftersales_cursor_key", "aftersales_media_key"):
        assert len({each[name] for each in told}) == len(SERVICES)
