"""The clients that are made of the OpenAPI documents: real journeys by them, as a shop would write
them, and the examples of their page, each typed strictly before it is run. `make deploy-check` asks
for it: it takes tools that a stack does not need. All other lives here are lived by the client for
Python (by_client.py), without types.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from deploy_tools.cache import Absent, node
from deploy_tools.clients import built, compile_typescript
from local_stack.people import Person, complete_order, now, until
from local_stack.returning import photo
from local_stack.services import Stack
from uv import find_uv_bin

ROOT = Path(__file__).parents[2]
JOURNEYS = ROOT / "clients" / "journeys"
PAGE = ROOT / "docs" / "clients.md"
SECONDS_MAX = 300
LINES_MAX = 10
pytestmark = pytest.mark.deploy
TSCONFIG = """{
  "extends": "./node_modules/aftersales-client/tsconfig.json",
  "compilerOptions": {
    "rootDir": ".", "outDir": "run", "declaration": false, "skipLibCheck": true
  },
  "include": ["*.ts"]
}
"""

type Run = Callable[[str | Path, dict[str, str]], str]
"""A program, or the file of one, and what it finds in its environment in; what it has printed."""


def of(language: str) -> Path:
    try:
        return built(language)
    except Absent as why:
        pytest.skip(f"no client for {language}: {why}")


def done(*command: str | Path, folder: Path, environment: dict[str, str] | None = None) -> str:
    ran = subprocess.run(  # noqa: S603
        [*map(str, command)],
        cwd=folder,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
    return ran.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs with the wheel installed, and nothing of ours besides."""
    folder = tmp_path_factory.mktemp("python")
    (wheel,) = of("python").glob("*.whl")
    installed = folder / "installed"
    into = ("--python", sys.executable, "--no-deps", "--target", installed)
    done(find_uv_bin(), "pip", "install", *into, wheel, folder=folder)

    def run(program: str | Path, environment: dict[str, str]) -> str:
        file = folder / "program.py"
        file.write_text(program.read_text() if isinstance(program, Path) else program)
        told = environment | {"PYTHONPATH": str(installed)}
        cache = ROOT / ".mypy_cache" / "clients"
        strictly = ("--strict", "--follow-imports=silent", "--cache-dir", cache)
        done(
            *(sys.executable, "-m", "mypy", *strictly, file),
            folder=folder,
            environment={"MYPYPATH": str(installed)},
        )
        return done(sys.executable, file, folder=folder, environment=told)

    return run


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Compiled by `tsc`, strictly, all that is in a folder at once; run by Node.js."""
    folder = tmp_path_factory.mktemp("typescript")
    made = of("typescript")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "aftersales-client").symlink_to(made)
    (folder / "tsconfig.json").write_text(TSCONFIG)
    (folder / "package.json").write_text('{"type": "module"}')
    for journey in JOURNEYS.glob("*.ts"):
        shutil.copy(journey, folder)
    compile_typescript(folder)

    def run(program: str | Path, environment: dict[str, str]) -> str:
        if isinstance(program, Path):
            name = program.stem
        else:
            name = "program"
            (folder / f"{name}.ts").write_text(program)
            compile_typescript(folder)
        return done(node(), f"run/{name}.js", folder=folder, environment=environment)

    return run


def people(stack: Stack, mark: str) -> dict[str, str]:
    """Where the services are, and the tokens of who takes part."""
    return stack.environment() | {
        "MARK": mark,
        "TOKEN_SHOP": stack.token("SYSTEM", "market"),
        "TOKEN_BUYER": stack.token("BUYER", f"B-{mark}"),
        "TOKEN_SELLER": stack.token("SELLER", f"S-{mark}"),
        "TOKEN_PAGE": stack.token("STOREFRONT", "www"),
        **{
            f"TOKEN_{role}": stack.token(role, f"{role}-{mark}")
            for role in ("MODERATOR", "AGENT", "SENIOR", "ANALYST")
        },
        "TOKEN_OTHER_ANALYST": stack.token("ANALYST", f"another-{mark}"),
        "CLOCK": stack.description.clock_file,
        "PLACED_AT": f"{now(stack) - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}",
    }


def test_an_order_is_reviewed_disputed_and_sent_back_by_the_client_for_python(
    stack: Stack, python: Run, tmp_path: Path
) -> None:
    mark = uuid4().hex[:8]
    picture = tmp_path / "lamp.jpg"
    picture.write_bytes(photo())
    told = python(JOURNEYS / "journey.py", people(stack, mark) | {"PHOTO": str(picture)})
    assert told.startswith(f"S-{mark}: ")


def test_an_order_lives_in_all_services_by_the_client_for_typescript(
    stack: Stack, typescript: Run
) -> None:
    mark = uuid4().hex[:8]
    told = typescript(JOURNEYS / "journey.ts", people(stack, mark))
    assert told == f"S-{mark}: 5 of 5\n"


def test_the_client_for_typescript_asks_again_where_that_is_safe(typescript: Run) -> None:
    """That for Python is asked in its own tests."""
    assert typescript(JOURNEYS / "patience.ts", {}) == "patient\n"


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_the_example_of_the_page_does_what_it_says(
    stack: Stack, language: str, request: pytest.FixtureRequest
) -> None:
    run: Run = request.getfixturevalue(language)
    block = re.compile(rf"^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    (example,) = block.findall(PAGE.read_text())
    lines = [line for line in example.splitlines() if line]
    said = [line for line in lines if not line.startswith(("import ", "from ", "declare "))]
    assert len(said) <= LINES_MAX
    mark = uuid4().hex[:8]
    complete_order(stack, f"O-{mark}", f"S-{mark}", f"B-{mark}")
    buyer, evaluation = Person(stack, "BUYER", f"B-{mark}"), f"/v1/orders/O-{mark}/evaluation"
    until(lambda: buyer.get(evaluation)["state"] == "OPEN", "it may be reviewed")
    told = run(example, people(stack, mark) | {"ORDER": f"O-{mark}"})
    assert "OPEN" in told
    assert "already-submitted" in told
