"""What the product defines it uses, and says once: names, longer passages, bounds of texts."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PRODUCT = [
    path
    for path in sorted(REPOSITORY.glob("s*/*/src/**/*.py"))
    if "migrations" not in path.parts and "testing" not in str(path)
]
AROUND = [
    path
    for folder in ("deploy", "bench", "clients", "s*/*/src")
    for path in REPOSITORY.glob(f"{folder}/**/*.py")
    if "tests" not in path.parts
]
LINES_MAX = 7
"""What is longer than these has one place, and is imported from there."""
TOLD = re.compile(r"`(\w+)`")
"""In the docs: what people are told to call themselves."""


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def defined(module: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """The names that a module defines. What is decorated is called by whoever decorates."""
    for each in module.body:
        match each:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not each.decorator_list:
                yield each.name, each
            case ast.ClassDef():
                yield each.name, each
            case ast.TypeAlias(name=ast.Name(id=name)):
                yield name, each
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, each
            case ast.Assign():
                for target in each.targets:
                    yield from (
                        (it.id, each) for it in ast.walk(target) if isinstance(it, ast.Name)
                    )
            case _:
                pass


def used(module: ast.Module) -> Iterator[str]:
    for each in ast.walk(module):
        match each:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name):
                yield name
            case _:
                pass


def test_every_name_of_the_product_is_used_by_more_than_its_tests() -> None:
    pages = REPOSITORY.glob("docs/**/*.md")
    uses = {name for path in AROUND for name in used(parsed(path))}
    uses |= {name for page in pages for name in TOLD.findall(page.read_text())}
    names = {name: path for path in PRODUCT for name, _ in defined(parsed(path))}
    dead = {name: path.name for name, path in names.items() if not name.startswith("__")}
    assert {name: path for name, path in dead.items() if name not in uses} == {}


def passage(each: ast.stmt) -> str:
    """What it says, whatever it is called and its docstring tells."""
    if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        body = each.body[bool(ast.get_docstring(each)) :]
        rest = [*each.bases, *each.keywords] if isinstance(each, ast.ClassDef) else [each.args]
        return "".join(map(ast.dump, [*rest, *body]))
    return ast.dump(each)


def test_no_longer_passage_is_written_twice() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for path in PRODUCT:
        for name, each in defined(parsed(path)):
            if each.end_lineno and each.end_lineno - each.lineno >= LINES_MAX:
                places[passage(each)].add(f"{path.relative_to(REPOSITORY)}: {name}")
    assert [sorted(twice) for twice in places.values() if len(twice) > 1] == []


def test_how_long_what_people_write_may_be_stands_at_the_fields_of_events() -> None:
    """A command, a line of an upload and an event have their bounds from there, or by a name."""
    figures = [
        f"{path.relative_to(REPOSITORY)}:{call.lineno}"
        for path in PRODUCT
        for call in ast.walk(parsed(path))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in {"Words", "Files"}
        and any(type(getattr(each, "value", None)) is int for each in call.args)
    ]
    assert figures == []
    fields = REPOSITORY / "shared/events/src/shared_events/fields.py"
    bounds = {name: ast.dump(each.value) for name, each in constants(fields)}
    again = [
        f"{path.relative_to(REPOSITORY)}: {name}"
        for path in PRODUCT
        for name, each in constants(path)
        if path != fields and bounds.get(name) == ast.dump(each.value)
    ]
    assert again == []


def constants(path: Path) -> Iterator[tuple[str, ast.Assign]]:
    for name, each in defined(parsed(path)):
        if isinstance(each, ast.Assign):
            yield name, each
