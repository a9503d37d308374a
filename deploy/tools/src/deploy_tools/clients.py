"""The OpenAPI documents in, clients for them out: packages for Python and for TypeScript.

    python -m deploy_tools.clients                  both
    python -m deploy_tools.clients typescript       one of them

Made are `dist/clients/python`, with a wheel, and `dist/clients/typescript`, with a tarball: what is
written by hand in `clients`, and what openapi-python-client and openapi-typescript make of
`docs/reference/openapi`. Nothing is made again while none of these has changed.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from uv import find_uv_bin

from deploy_tools.cache import (
    LOCK,
    NODE_PACKAGES,
    OPENAPI_TYPESCRIPT,
    TYPESCRIPT,
    Absent,
    node,
    npm,
    program,
)

REPOSITORY = Path(__file__).parents[4]
SOURCES = REPOSITORY / "clients"
DOCUMENTS = REPOSITORY / "docs" / "reference" / "openapi"
LICENCE = REPOSITORY / "LICENSE"
BUILT = REPOSITORY / "dist" / "clients"
NOT_OF_IT = frozenset({"tests", "__pycache__"})
STAMP = ".made-of"
SECONDS_MAX = 600
AT_ONCE = 2


NOT_FOR_PYTHON = {
    "UploadFile": "a generated function says of every file that it is of one type",
    "TakeLines": "answers are read while lines are sent: a generated function waits for itself",
}
"""Operations that the client does otherwise, or leaves to others, and why."""


class Failed(Exception):  # noqa: N818 - a state of a build
    """A tool has said no; what it has said."""


def documents() -> dict[str, Path]:
    """By the names that the parts of a client have: review, dispute …"""
    return {file.stem.removesuffix("-service"): file for file in sorted(DOCUMENTS.iterdir())}


def built(language: str) -> Path:
    """The folder of a client, made if it is not of this release. Raises `Absent`, `Failed`."""
    folder = BUILT / language
    wanted = _made_of(language)
    stamp = folder / STAMP
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        for source in _by_hand(language):
            target = folder / source.relative_to(SOURCES / language)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        shutil.copy(LICENCE, folder)
        LANGUAGES[language](folder)
        stamp.write_text(wanted)
    return folder


def _by_hand(language: str) -> list[Path]:
    files = sorted(file for file in (SOURCES / language).rglob("*") if file.is_file())
    return [file for file in files if NOT_OF_IT.isdisjoint(file.parts)]


def _made_of(language: str) -> str:
    """What says that nothing has changed: all files, and the releases of the tools."""
    tools = [Path(__file__), REPOSITORY / "requirements.lock", NODE_PACKAGES / LOCK]
    told = hashlib.sha256()
    for file in [*_by_hand(language), *documents().values(), *tools]:
        told.update(f"{file.relative_to(REPOSITORY)}\0".encode())
        told.update(hashlib.sha256(file.read_bytes()).digest())
    return told.hexdigest()


def _make_python(folder: Path) -> None:
    package = folder / "src" / "aftersales_client"
    generator = Path(sys.executable).with_name("openapi-python-client")
    config = folder / "generator.yaml"

    def generate(name: str, document: Path) -> None:
        generated = folder / document.name
        generated.write_text(json.dumps(_for_python(document)))
        _run(
            *(generator, "generate", "--path", generated, "--config", config, "--fail-on-warning"),
            *("--meta", "none", "--output-path", package / name),
            folder=folder,
        )
        generated.unlink()

    _each(generate, documents())
    _run(find_uv_bin(), "build", "--quiet", "--wheel", "--out-dir", folder, folder=folder)


def _for_python(document: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(document.read_text())
    for path, methods in told["paths"].items():
        told["paths"][path] = {
            method: operation
            for method, operation in methods.items()
            if operation["operationId"] not in NOT_FOR_PYTHON
        }
    return told


def _make_typescript(folder: Path) -> None:
    packages = program(TYPESCRIPT).parent
    (folder / "node_modules").symlink_to(packages)
    generate = packages / OPENAPI_TYPESCRIPT.package / "bin" / "cli.js"

    def types(name: str, document: Path) -> None:
        written = folder / "src" / f"{name}.ts"
        # What has a default may be left out of a body.
        _run(
            *(node(), generate, document, "--output", written),
            *("--default-non-nullable", "false"),
            folder=folder,
        )

    _each(types, documents())
    compile_typescript(folder)
    _run(*npm(), "pack", "--silent", "--ignore-scripts", folder=folder)


def compile_typescript(folder: Path) -> None:
    """As its tsconfig.json says. Raises `Absent`, `Failed`."""
    _run(node(), program(TYPESCRIPT) / "bin" / "tsc", "--project", folder, folder=folder)


LANGUAGES: Mapping[str, Callable[[Path], None]] = {
    "python": _make_python,
    "typescript": _make_typescript,
}


def _each(make: Callable[[str, Path], None], files: Mapping[str, Path]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(make, name, file) for name, file in files.items()]:
            done.result()


def _run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(  # noqa: S603
        [*map(str, command)],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    if done.returncode:
        raise Failed(f"`{' '.join(map(str, command))}`: {(done.stdout + done.stderr)[-3000:]}")
    return done.stdout + done.stderr


def main(languages: Sequence[str]) -> int:
    """1 if one of them cannot be made here."""
    missing = 0
    for language in languages or LANGUAGES:
        began = time.monotonic()
        try:
            folder = built(language)
        except Absent as why:
            missing = 1
            sys.stderr.write(f"{language}: not here. {why}\n")
            continue
        seconds = time.monotonic() - began
        (package,) = [*folder.glob("*.whl"), *folder.glob("*.tgz")]
        kib = package.stat().st_size // 1024
        sys.stderr.write(f"{language}: {package} ({kib} KiB, {seconds:.0f} s)\n")
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
