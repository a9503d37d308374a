"""A kustomization in, the objects that it comes to out."""

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import which
from sys import prefix
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[4]
K8S = REPOSITORY / "deploy" / "k8s"
APPLIED = sorted(
    path.parent for folder in ("overlays", "tests") for path in K8S.glob(f"{folder}/*/*.yaml")
)
"""Every overlay, and what a test has for itself. Combinations are elsewhere: `combinations`."""
SECONDS_MAX = 60
COMPONENT = "app.kubernetes.io/component"
SERVICE = "app.kubernetes.io/name"

type Resource = dict[str, Any]


class Absent(Exception):  # noqa: N818 - a state of the machine
    """A tool is not on this machine."""


class NotRendered(Exception):  # noqa: N818 - what is wrong with a kustomization
    """The message is kubectl's."""


def tool(name: str) -> str:
    """A program of our environment, else of the path. Raises `Absent`."""
    found = which(name, path=str(Path(prefix) / "bin")) or which(name)
    if found is None:
        raise Absent(f"there is no {name} on this machine: `make deploy-check` brings it")
    return found


def rendered(kustomization: Path) -> list[Resource]:
    """Raises `NotRendered`, `Absent`."""
    told = yaml.load_all(_told(kustomization), Loader=yaml.CSafeLoader)
    return [each for each in told if each is not None]


@cache
def _told(kustomization: Path) -> str:
    done = subprocess.run(  # noqa: S603 - our own manifests
        [tool("kubectl"), "kustomize", kustomization],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
        env=os.environ | {"GOGC": "off"},  # it lives for a second: collecting is a third of that
    )
    if done.returncode:
        raise NotRendered(done.stderr.strip())
    return done.stdout


def group_of(each: Resource) -> str:
    """The group of its kind; empty for the oldest."""
    return str(each["apiVersion"]).rpartition("/")[0]


def name_of(each: Resource) -> str:
    """How people call an object."""
    return f"{each['kind']}/{each['metadata']['name']}"


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is applied together."""

    resources: Sequence[Resource]

    def of(self, *kinds: str, api: str = "") -> list[Resource]:
        """Those of these kinds, and of the group that `api` begins with."""
        return [
            each
            for each in self.resources
            if each["kind"] in kinds and each["apiVersion"].startswith(api)
        ]

    def named(self, kind: str, name: str) -> Resource | None:
        return next((each for each in self.of(kind) if each["metadata"]["name"] == name), None)

    def workloads(self) -> Iterator[tuple[Resource, Resource]]:
        """Each Deployment and Job, with the template of its pods."""
        for each in self.of("Deployment", "Job"):
            yield each, each["spec"]["template"]


def distinct(applied: Iterable[Rendered]) -> Iterator[Resource]:
    """What many combinations have alike is given once."""
    seen: set[str] = set()
    for each in (each for one in applied for each in one.resources):
        if (told := repr(each)) not in seen:
            seen.add(told)
            yield each


def containers_of(template: Resource) -> list[Resource]:
    spec = template["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def component_of(each: Resource) -> str:
    """Which process of its service a workload is."""
    return str(each["spec"]["template"]["metadata"]["labels"][COMPONENT])


def service_of(template: Resource) -> str:
    """Whose process runs in a pod."""
    return str(template["metadata"]["labels"][SERVICE]).removesuffix("-service")


def environment_of(applied: Rendered, template: Resource) -> dict[str, str]:
    """What the process of a pod is told, as far as the image does not say it."""
    [container] = template["spec"]["containers"]
    told: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found = applied.named("ConfigMap", source["configMapRef"]["name"])
        told |= found["data"] if found else {}
    return told | {it["name"]: it["value"] for it in container.get("env", ()) if "value" in it}


def selects(selector: Resource, labels: Resource) -> bool:
    """Whether a label selector of Kubernetes takes an object with these labels."""
    return all(
        labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()
    ) and all(_expression(each, labels) for each in selector.get("matchExpressions", ()))


def _expression(each: Resource, labels: Resource) -> bool:
    value = labels.get(each["key"])
    match each["operator"]:
        case "In":
            return value in each["values"]
        case "NotIn":
            return value not in each["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None
