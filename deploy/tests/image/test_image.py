"""The image of a service: built by its one recipe, started by nobody, read-only, in the dark."""

import json
import os
import signal
import stat
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any

import pytest
from deploy_tools.cache import Absent
from deploy_tools.images import base_image, build, told
from deploy_tools.routes import SERVICES

ROOT = Path(__file__).parents[3]
SERVICE = "review"
OTHERS = sorted({*SERVICES} - {SERVICE})
NOBODY = 65532
BYTES_MAX = 300 * 1024 * 1024
RUN_SECONDS_MAX = 60
UNCHECKED_HASH = 1
WRITABLE = {"/tmp", "/var/tmp", "/run/lock"}  # noqa: S108 - they are looked for, not used
OVER_IT = "Traceback"

# The root of the image read-only, no network, no other process, nobody's rights and none to gain.
START = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
mount -t tmpfs -o size=16m,mode=1777 tmpfs "$1/tmp"
mount -t proc proc "$1/proc"
mount --bind /dev/null "$1/dev/null" 2> /dev/null || mount -t tmpfs tmpfs "$1/dev"
[ -e "$1/dev/urandom" ] || mknod -m 666 "$1/dev/urandom" c 1 9
root=$1; shift
exec setpriv --no-new-privs -- chroot --userspec=65532:65532 --groups= "$root" "$@"
"""
IN_THE_DARK = (
    *("unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child"),
    *("bash", "-c", START, "start"),
)

type Run = Callable[..., subprocess.CompletedProcess[str]]


def name_of(service: str) -> str:
    return f"localhost/aftersales/{service}-service:check"


def built(service: str) -> Mapping[str, Any]:
    """The image is built; how it is started."""
    try:
        build(service, name_of(service), base_image())
    except Absent as why:
        pytest.skip(str(why))
    inspected = json.loads(told("buildah", "inspect", "--type", "image", name_of(service)))
    return inspected["OCIv1"]["config"]  # type: ignore[no-any-return]


@contextmanager
def files_of(service: str) -> Generator[Path]:
    container = told("buildah", "from", name_of(service))
    try:
        yield Path(told("buildah", "mount", container))
        told("buildah", "umount", container)
    finally:
        told("buildah", "rm", container)


@pytest.fixture(scope="module")
def config() -> Mapping[str, Any]:
    return built(SERVICE)


@pytest.fixture(scope="module")
def root(config: Mapping[str, Any]) -> Iterator[Path]:
    """The files of the image."""
    assert config
    with files_of(SERVICE) as folder:
        yield folder


def command(
    root: Path, config: Mapping[str, Any], arguments: Sequence[str], env: Mapping[str, str]
) -> list[str]:
    as_said = [*config["Env"], *(f"{name}={value}" for name, value in env.items())]
    return [*IN_THE_DARK, str(root), "/usr/bin/env", "-i", *as_said, *arguments]


@pytest.fixture
def run(root: Path, config: Mapping[str, Any]) -> Run:
    return running(root, config)


def running(root: Path, config: Mapping[str, Any]) -> Run:
    def run(*arguments: str, env: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401
        return subprocess.run(  # noqa: S603
            command(root, config, arguments, env or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS_MAX,
        )

    return run


ENTRY = ("python", "/opt/service")
TURN = """
import asyncio, base64, sys
from shared_runtime.media_heic import as_jpeg
print(asyncio.run(as_jpeg(base64.b64decode(sys.argv[1])))[:3].hex())
"""
PRODUCTION = {
    "AFTERSALES_DATABASE_URL": "postgresql://app@127.0.0.1:5432/review",
    "AFTERSALES_KEYS_URL": "postgresql://app@127.0.0.1:5432/keys",
    "AFTERSALES_KEK": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "AFTERSALES_KAFKA": "kafka:9093",
    "AFTERSALES_JWKS_URL": "https://issuer.example/jwks",
    "AFTERSALES_ISSUER": "https://issuer.example",
    "AFTERSALES_CURSOR_KEY": "c" * 32,
    "AFTERSALES_TOKEN_KEY": "t" * 32,
    "AFTERSALES_MEDIA_KEY": "m" * 32,
    "AFTERSALES_REF_KEY": "r" * 32,
    "AFTERSALES_MEDIA_URL": "s3://files",
}


def documented(service: str) -> str:
    return (ROOT / "docs" / "reference" / "openapi" / f"{service}-service.json").read_text()


@pytest.mark.parametrize("service", OTHERS)
def test_every_other_service_begins_alike(service: str) -> None:
    """One recipe makes them all: by nobody, read-only, without a network, and it tells its own."""
    config = built(service)
    assert (config["User"], tuple(config["Entrypoint"])) == (f"{NOBODY}:{NOBODY}", ENTRY)
    with files_of(service) as root:
        run = running(root, config)
        assert run(*ENTRY, "openapi").stdout == documented(service)
        assert run("/usr/bin/id", "-u").stdout == f"{NOBODY}\n"
        assert run("/usr/bin/touch", "/opt/service/written").returncode != 0


def test_it_is_started_by_nobody_with_a_command_and_no_shell(config: Mapping[str, Any]) -> None:
    assert config["User"] == f"{NOBODY}:{NOBODY}"
    assert tuple(config["Entrypoint"]) == ENTRY
    assert "AFTERSALES_HOST=0.0.0.0" in config["Env"]
    assert not any("SECRET" in each or "KEY" in each for each in config["Env"])


def test_it_tells_the_interface_that_is_documented(run: Run) -> None:
    answered = run(*ENTRY, "openapi")
    assert answered.returncode == 0, answered.stderr
    assert answered.stdout == documented(SERVICE)


def test_without_a_database_it_says_so_and_is_not_migrated(run: Run) -> None:
    answered = run(*ENTRY, "migrated", env=PRODUCTION)
    assert (answered.returncode, OVER_IT in answered.stderr) == (3, False), answered.stderr
    assert "a database does not answer" in answered.stderr


def test_told_to_end_while_it_waits_for_its_database_it_ends(
    root: Path, config: Mapping[str, Any]
) -> None:
    """The first process of a container hears no signal that it has not asked for."""
    begun = command(root, config, [*ENTRY, "api"], PRODUCTION)
    with subprocess.Popen(begun, stdout=subprocess.PIPE, text=True) as unshare:  # noqa: S603
        assert unshare.stdout is not None
        try:
            assert "the database does not answer yet" in unshare.stdout.readline()
            [first] = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text().split()
            began_at = time.monotonic()
            os.kill(int(first), signal.SIGTERM)
            unshare.wait(timeout=20)
            assert time.monotonic() - began_at < 10
            unshare.stdout.read()
        finally:
            unshare.kill()


def test_nobody_can_write_in_it(run: Run, root: Path) -> None:
    for place in ("/", "/opt/service", "/opt/aftersales", "/etc", "/var/tmp"):  # noqa: S108
        assert run("/usr/bin/touch", f"{place}/written").returncode != 0, place
    assert run("/usr/bin/touch", "/tmp/written").returncode == 0  # noqa: S108 - its own
    open_to_all = {
        f"/{path.relative_to(root)}"
        for folder, _, files in root.walk()
        for path in (folder, *(folder / name for name in files))
        if not path.is_symlink()
        and path.stat().st_mode & stat.S_IWOTH
        and not path.is_char_device()
    }
    assert open_to_all <= WRITABLE
    assert not [path for path in (root / "opt").rglob("*") if path.stat().st_uid]
    privileged = stat.S_ISUID | stat.S_ISGID
    assert not [path for path in (root / "opt").rglob("*") if path.stat().st_mode & privileged]


def test_a_photo_of_an_iphone_is_turned_in_it(run: Run) -> None:
    photo = b64encode((ROOT / "shared/runtime/tests/lamp.heic").read_bytes()).decode()
    turned = run("python", "-c", TURN, photo)
    assert turned.stdout == "ffd8ff\n", turned.stderr


def test_nothing_in_it_installs_anything(run: Run, root: Path) -> None:
    for module in ("pip", "ensurepip", "uv"):
        assert "No module named" in run("python", "-c", f"import {module}").stderr
    programs = [path.name for path in root.rglob("bin/*")]
    assert not [name for name in programs if name.startswith(("pip", "easy_install"))]
    assert {"python3"} <= {*programs} - {"uv", "uvx"}


def test_it_is_small(root: Path) -> None:
    seen: dict[tuple[int, int], int] = {}
    for folder, _, files in root.walk():
        for name in files:
            status = (folder / name).lstat()
            seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    assert sum(seen.values()) <= BYTES_MAX


def test_it_starts_from_what_was_compiled(root: Path) -> None:
    """All files may be of one instant: what is compared with the source's is not believed."""
    compiled = [*(root / "opt").rglob("*.pyc")]
    assert len(compiled) > 1000
    heads = {path.read_bytes()[:8] for path in compiled}
    assert heads == {MAGIC_NUMBER + UNCHECKED_HASH.to_bytes(4, "little")}


def test_its_bill_of_materials_names_what_is_in_it_and_nothing_else(run: Run, root: Path) -> None:
    bill = json.loads((root / "opt/service/sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    named = {component["purl"] for component in bill["components"]}
    listed = run(
        "python",
        "-c",
        "from importlib.metadata import distributions as d\n"
        "for x in d(): print(x.metadata['Name'].lower().replace('_', '-'), x.version)",
    ).stdout.splitlines()
    python = {"pkg:pypi/{}@{}".format(*line.split()) for line in listed}
    assert {each for each in named if each.startswith("pkg:pypi/")} == python
    assert sum(each.startswith("pkg:deb/") for each in named) == len(
        run("dpkg-query", "--show").stdout.splitlines()
    )
    ours = {f"pkg:pypi/{name}@0.1.0" for name in ("shared-runtime", f"{SERVICE}-service")}
    assert ours <= named
