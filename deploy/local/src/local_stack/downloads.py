"""Maven packages in, a folder with Kafka's jars and PostgreSQL's programs out, for all stacks.

A folder becomes visible under its name only when it is whole: it is filled beside and renamed.
"""

import contextlib
import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Generator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from local_stack.errors import MissingTools, StackError

POM = Path(__file__).parents[2] / "pom.xml"
JAVA_AT_LEAST = 17
DOWNLOAD_SECONDS = 900
WORLD_MAY_ENTER = 0o001


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """What the servers are started from."""

    java: Path
    kafka_jars: Path
    postgres: Path


def cache_folder() -> Path:
    """Where downloads are kept: for root a place where another user can run programs from."""
    if asked := os.environ.get("AFTERSALES_CACHE"):
        return Path(asked).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/aftersales")
    return Path.home() / ".cache" / "aftersales"


def packages_folder(cache: Path) -> Path:
    """Another one for every change of the versions."""
    return cache / f"packages-{sha256(POM.read_bytes()).hexdigest()[:12]}"


def is_open_to_all(folder: Path) -> bool:
    """Whether every user can enter a folder (its parents, while it is not there yet)."""
    there = [parent for parent in (folder, *folder.parents) if parent.exists()]
    return all(parent.stat().st_mode & WORLD_MAY_ENTER for parent in there)


def fetch(say: Callable[[str], None] = lambda _: None) -> Programs:
    """Downloads what is not there yet; cheap when all is."""
    cache = cache_folder()
    java = find_java()
    packages = packages_folder(cache)
    if java is None or (shutil.which("mvn") is None and not packages.exists()):
        raise MissingTools(missing_tools())
    cache.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0 and not is_open_to_all(cache):
        raise StackError(
            f"PostgreSQL does not run as root, and {cache} is closed to other users: "
            "set AFTERSALES_CACHE to a folder that all users can enter"
        )
    if not packages.exists():
        with _locked(cache / "lock"):
            if not packages.exists():  # another may have been quicker
                _fill(packages, say)
    return Programs(java=java, kafka_jars=packages / "kafka", postgres=packages / "postgres")


def find_java() -> Path | None:
    """A Java that is new enough: JAVA_HOME's, or the one on the path."""
    home = os.environ.get("JAVA_HOME")
    candidates = [shutil.which("java", path=f"{home}/bin") if home else None, shutil.which("java")]
    for candidate in filter(None, candidates):
        told = subprocess.run([candidate, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
        version = re.search(r'version "(\d+)', told.stderr + told.stdout)
        if version and int(version.group(1)) >= JAVA_AT_LEAST:
            return Path(candidate)
    return None


def missing_tools() -> str:
    """One message that names all that is missing; empty: nothing is."""
    missing: list[str] = []
    if find_java() is None:
        missing.append(
            f"Java {JAVA_AT_LEAST} or newer runs Kafka: `apt-get install openjdk-17-jre-headless`, "
            "`dnf install java-21-openjdk-headless` or `brew install openjdk`"
        )
    if shutil.which("mvn") is None:
        missing.append(
            "Maven downloads Kafka and PostgreSQL: `apt-get install maven`, `dnf install maven` "
            "or `brew install maven`"
        )
    if not missing:
        return ""
    listed = "\n".join(f"  - {line}" for line in missing)
    return (
        f"The local stack needs what is not on this machine:\n{listed}\n"
        "Or start Docker: without Java, containers are used. Or point AFTERSALES_POSTGRES_URL and "
        "AFTERSALES_KAFKA at servers that exist."
    )


def postgres_platform() -> str:
    """The name of this machine in the PostgreSQL packages."""
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64v8", "arm64": "arm64v8"}.get(
        platform.machine().lower()
    )
    if system is None or machine is None:
        raise StackError(
            f"there is no PostgreSQL package for {sys.platform} {platform.machine()}: point "
            "AFTERSALES_POSTGRES_URL and AFTERSALES_KAFKA at servers that exist"
        )
    return f"{system}-{machine}"


def _fill(packages: Path, say: Callable[[str], None]) -> None:
    for left_behind in packages.parent.glob(f".{packages.name}-*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{packages.name}-", dir=packages.parent))
    try:
        unfinished.chmod(0o755)
        say("downloading Kafka and PostgreSQL (once)")
        _copy_packages(unfinished / "kafka")
        say("unpacking PostgreSQL")
        _unpack_postgres(unfinished / "kafka", unfinished / "postgres")
        unfinished.rename(packages)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _copy_packages(folder: Path) -> None:
    maven = [
        shutil.which("mvn") or "mvn",
        *("--quiet", "--batch-mode", "--file", str(POM), "dependency:copy-dependencies"),
        f"-DoutputDirectory={folder}",
        f"-Dpostgres.platform={postgres_platform()}",
    ]
    try:
        done = subprocess.run(  # noqa: S603
            maven, capture_output=True, text=True, check=False, timeout=DOWNLOAD_SECONDS
        )
    except subprocess.TimeoutExpired as late:
        raise StackError(f"Maven has not finished after {DOWNLOAD_SECONDS} s") from late
    if done.returncode:
        raise StackError(
            f"Maven could not download the servers; run it again when the network is there:\n"
            f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )


def _unpack_postgres(jars: Path, folder: Path) -> None:
    """The jar holds one compressed archive. It leaves the folder: it is nothing for Java."""
    [jar] = jars.glob("embedded-postgres-binaries-*.jar")
    with zipfile.ZipFile(jar) as packed:
        [name] = [entry for entry in packed.namelist() if entry.endswith(".txz")]
        archive = Path(packed.extract(name, folder.parent))
    folder.mkdir()
    try:
        with tarfile.open(archive, "r:xz") as files:
            files.extractall(folder, filter="tar")
    except tarfile.CompressionError:  # a Python that was built without lzma
        subprocess.run(["tar", "-xJf", archive, "-C", folder], check=True)  # noqa: S603, S607
    archive.unlink()
    jar.unlink()


@contextlib.contextmanager
def _locked(path: Path) -> Generator[None]:
    """One process at a time; the lock ends with its holder."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
