"""What is applied in, each figure of it that is not the one that is meant out.

Which are meant, and why, stands in deploy/k8s/tests/figures.yaml.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, cast

import yaml

from deploy_checks.render import K8S, Rendered, Resource, component_of, name_of

TABLE = K8S / "tests" / "figures.yaml"
ANY = "any"
EACH = "each"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of objects that are alike. `one`: what may be said instead where there is one of each."""

    of: Mapping[str, str]
    meant: Mapping[str, Any]
    why: str
    one: Mapping[str, Any] | None = None
    design: str = ""

    def are_of(self, each: Resource) -> bool:
        component = self.of.get("component")
        return fnmatchcase(each["metadata"]["name"], self.of.get("name", "*")) and (
            component is None or component_of(each) == component
        )


@cache
def all_figures() -> Sequence[Figures]:
    return [Figures(**each) for each in yaml.safe_load(TABLE.read_text())]


def figures_are_those_that_are_meant(applied: Rendered) -> Iterator[str]:
    """Where there is one process of each, servers may be alone too; else nothing may."""
    alone = all(each["spec"].get("replicas") == 1 for each in applied.of("Deployment"))
    for figures in all_figures():
        for each in applied.of(figures.of["kind"]):
            if not figures.are_of(each):
                continue
            wrong = [*others(figures.meant, each["spec"])]
            if wrong and alone and figures.one is not None:
                wrong = [*others(_over(figures.meant, figures.one), each["spec"])] and wrong
            yield from (f"{name_of(each)}: {told} ({figures.why})" for told in wrong)


def others(meant: Any, found: Any, where: str = "") -> Iterator[str]:  # noqa: ANN401 - of any shape
    """What is not as it is meant: `where` it is, and what."""
    if not isinstance(meant, dict):
        if found != meant:
            yield f"{where[1:]} is {found}, not {meant}"
        return
    told = cast("Resource", meant)
    if ANY in told:
        if found not in told[ANY]:
            yield f"{where[1:]} is {found}, none of {told[ANY]}"
    elif EACH in told:
        for number, one in enumerate(found):
            yield from others(told[EACH], one, f"{where}.{number}")
    else:
        there = _by_name(found)
        for key, value in told.items():
            yield from others(value, there.get(key), f"{where}.{key}")


def _by_name(found: Any) -> Resource:  # noqa: ANN401 - of any shape
    """Its members; of a list, by their names."""
    if isinstance(found, list):
        return {each["name"]: each for each in cast("list[Resource]", found)}
    return cast("Resource", found or {})


def _over(meant: Any, one: Any) -> Any:  # noqa: ANN401 - of any shape
    """The same figures, some of them said anew."""
    if not (isinstance(meant, dict) and isinstance(one, dict)):
        return one
    told, said = cast("Resource", meant), cast("Resource", one)
    return told | {key: _over(told.get(key), value) for key, value in said.items()}
