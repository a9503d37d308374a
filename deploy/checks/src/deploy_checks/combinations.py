"""What may stand together in (deploy/k8s/tests/combinations.yaml), each combination's objects out.

A component either alters what is there, or brings what was not. What alters is rendered in all of
its combinations; what only brings is rendered on the base alone, and once more beside each way that
alters. So a combination is what its altering ways have made of the base, and what its other
ways bring: for that what is brought has to be the same beside whatever (`Different`).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from deploy_checks.render import K8S, Rendered, Resource, group_of, name_of, rendered

TABLE = K8S / "tests" / "combinations.yaml"
NAMESPACE = "aftersales"
BASE = "base"
COMPONENTS = "components"
BRINGS = frozenset({"apiVersion", "kind", "resources", "components", "configMapGenerator"})
"""What the kustomization of a component says that alters nothing."""
AT_ONCE = 2

type Combination = Mapping[str, str]
"""Of each kind the way that was chosen."""
type Ways = frozenset[tuple[str, str]]
"""Some of them."""


class Different(Exception):  # noqa: N818 - what is wrong with a component
    """What a component brings is not the same beside another one, or two bring the same."""


@cache
def _told() -> Mapping[str, Any]:
    told: Mapping[str, Any] = yaml.safe_load(TABLE.read_text())
    return told


def kinds() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Of each kind its ways, and of each way its parts."""
    found: Mapping[str, Mapping[str, Sequence[str]]] = _told()["kinds"]
    return found


def combinations(of: Sequence[str] | None = None) -> Iterator[Combination]:
    """All that may stand together; of some kinds alone, if these are named."""
    names = [*kinds()] if of is None else [*of]
    for ways in product(*(kinds()[name] for name in names)):
        chosen = dict(zip(names, ways, strict=True))
        if not any(pair.items() <= chosen.items() for pair in _told()["never"]):
            yield chosen


def parts_of(chosen: Combination) -> list[str]:
    """Its parts, in the order in which they are applied."""
    parts = [part for kind, way in chosen.items() for part in kinds()[kind][way]]
    for each in _told()["together"]:
        if _ways_of(each) <= chosen.items():
            parts += each["components"]
    return parts


def _ways_of(together: Mapping[str, Any]) -> Ways:
    return frozenset((kind, way) for kind, way in together.items() if kind != "components")


def alters(part: str) -> bool:
    """Whether it says more than what is to be there besides. What alters its own way alone is not
    meant: if it altered anything else, that would be `Different`.
    """
    if part.startswith(f"{BASE}/") or part in _told()["within"]:
        return False
    told = yaml.safe_load((K8S / COMPONENTS / part / "kustomization.yaml").read_text())
    return bool(told.keys() - BRINGS)


def altering() -> list[str]:
    """The kinds of which some way alters what is there."""
    return [
        kind
        for kind, ways in kinds().items()
        if any(alters(part) for parts in ways.values() for part in parts)
    ]


def kustomization(folder: Path, parts: Sequence[str]) -> Path:
    """Written into an empty folder, which is given back."""
    k8s = os.path.relpath(K8S.resolve(), folder.resolve())
    resources = [BASE, *(part for part in parts if part.startswith(f"{BASE}/"))]
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump_all(
            [
                {
                    "apiVersion": "kustomize.config.k8s.io/v1beta1",
                    "kind": "Kustomization",
                    "namespace": NAMESPACE,
                    "resources": [f"{k8s}/{each}" for each in resources],
                    "components": [
                        f"{k8s}/{COMPONENTS}/{part}" for part in parts if part not in resources
                    ],
                }
            ]
        )
    )
    return folder


@dataclass(frozen=True, slots=True)
class Parts:
    """What combinations are made of. `altered`: the base, by what the altering kinds have made of
    it. `brought`: what each other way brings, and what those bring that go together.
    """

    altered: Mapping[Ways, Sequence[Resource]]
    brought: Mapping[Ways, Sequence[Resource]]

    def of(self, chosen: Combination) -> Rendered:
        """The objects of a combination."""
        ways = frozenset(chosen.items())
        return Rendered([*_of(self.altered, ways), *_of(self.brought, ways)])

    def all(self) -> Iterator[Resource]:
        """Every object of every combination, some of them several times."""
        for made in (*self.altered.values(), *self.brought.values()):
            yield from made


def rendered_parts(folder: Path) -> Parts:
    """All of it, rendered in a folder. Raises `Different`, `NotRendered`, `Absent`."""
    others = [kind for kind in kinds() if kind not in altering()]
    bringing = [frozenset({(kind, way)}) for kind in others for way in kinds()[kind]]
    bringing += [_ways_of(each) for each in _told()["together"]]
    altered = [*combinations(altering())]
    beside = [*_beside(altered, [*combinations(others)])]
    wanted = [
        [],
        *(parts_of(dict(ways)) for ways in bringing),
        *(parts_of({**ways, **more}) for ways, more in zip(altered, beside, strict=True)),
    ]
    folders = [kustomization(folder / str(number), parts) for number, parts in enumerate(wanted)]
    with ThreadPoolExecutor(AT_ONCE) as several:
        base, *made = several.map(rendered, folders)
    brought: dict[Ways, Sequence[Resource]] = {}
    for ways, found in zip(bringing, made, strict=False):
        brought[ways] = without(found, [*base, *_of(brought, ways)])
    return Parts(
        altered={
            frozenset(ways.items()): without(found, _of(brought, frozenset(more.items())))
            for ways, more, found in zip(altered, beside, made[len(bringing) :], strict=True)
        },
        brought=brought,
    )


def _beside(altered: Sequence[Combination], others: Sequence[Combination]) -> Iterator[Combination]:
    """For each: the least of the others, or the most where it is the first of one of its ways."""
    seen: set[tuple[str, str]] = set()
    for each in altered:
        yield others[0] if each.items() <= seen else others[-1]
        seen |= each.items()


def _of(brought: Mapping[Ways, Sequence[Resource]], chosen: Ways) -> list[Resource]:
    return [each for ways, made in brought.items() if ways <= chosen for each in made]


def without(found: Sequence[Resource], known: Sequence[Resource]) -> list[Resource]:
    """What is not known yet. Raises `Different` unless all that is known is there as it was."""
    left = {_identity(each): each for each in found}
    for each in known:
        if left.pop(_identity(each), None) != each:
            raise Different(f"{name_of(each)} is not what it is alone")
    return [*left.values()]


def _identity(each: Resource) -> tuple[str, str]:
    return group_of(each), name_of(each)
