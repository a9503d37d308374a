"""Every overlay and every supported combination can be applied, and nothing in it is wrong."""

import subprocess
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_checks.facts import SERVICES
from deploy_checks.generated import files
from deploy_checks.render import (
    APPLIED,
    K8S,
    REPOSITORY,
    Absent,
    Rendered,
    Resource,
    distinct,
    group_of,
    rendered,
    tool,
)
from deploy_checks.rules import wrong_with
from deploy_checks.secrets import OWNER, secrets_of

LINES_MAX = 25
SECONDS_MAX = 120
CHOICES = {
    "Kafka": {
        "in the clear": {"external-servers/kafka", "kafka-in-the-clear"},
        "with TLS": {"external-servers/kafka"},
        "by Strimzi": {"strimzi"},
    },
    "databases": {"outside": {"external-servers/postgres"}, "by CloudNativePG": {"cnpg"}},
    "secrets": {"by hand": set[str](), "from a store": {"external-secrets"}},
    "scaling": {"none": set[str](), "of the API": {"hpa"}, "of workers too": {"hpa", "keda"}},
    "files": {"in a bucket": set[str](), "on a volume": {"shared-files"}},
    "watched": {"no": set[str](), "yes": {"monitoring", "traces"}},
}


@pytest.fixture(scope="module")
def everything() -> dict[str, Rendered]:
    try:
        return {f"{path.parent.name}/{path.name}": Rendered(rendered(path)) for path in APPLIED}
    except Absent as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("name", [f"{path.parent.name}/{path.name}" for path in APPLIED])
def test_nothing_is_wrong_with_what_is_applied(everything: dict[str, Rendered], name: str) -> None:
    applied = everything[name]
    assert {each["metadata"]["name"] for each in applied.of("Job")} == {
        f"{service}-migrate" for service in SERVICES
    }
    assert wrong_with(applied) == []


def is_kubernetes_own(each: Resource) -> bool:
    group = group_of(each)
    return "." not in group or group.endswith(".k8s.io")


def test_what_is_kubernetes_own_has_no_field_too_many_or_too_few(
    everything: dict[str, Rendered], tmp_path: Path
) -> None:
    own = [
        each
        for each in distinct(everything.values())
        if is_kubernetes_own(each) and not each["apiVersion"].startswith("gateway.")
    ]
    assert {"Deployment", "Job", "NetworkPolicy", "HorizontalPodAutoscaler"} <= {
        each["kind"] for each in own
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump_all(own))
    done = validated(tmp_path / "own.yaml")
    assert (done.returncode, "WARN" in done.stdout + done.stderr) == (0, False), done.stdout


def validated(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [tool("kubernetes-validate"), "--strict", "--quiet", path],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )


def test_the_schemas_refuse_a_field_that_there_is_not(
    everything: dict[str, Rendered], tmp_path: Path
) -> None:
    [job, *_] = everything["overlays/prod"].of("Job")
    job["spec"]["backofLimit"] = 1
    (tmp_path / "own.yaml").write_text(yaml.safe_dump_all([job]))
    del job["spec"]["backofLimit"]
    assert validated(tmp_path / "own.yaml").returncode != 0


def components_of(path: Path) -> set[str]:
    told: dict[str, Any] = yaml.safe_load((path / "kustomization.yaml").read_text())
    return {each.removeprefix("../../components/") for each in told.get("components", ())}


def chosen(components: set[str]) -> dict[str, str]:
    """What a combination has chosen: of each kind what has most of its components there."""
    return {
        kind: max(
            (name for name, needs in ways.items() if needs <= components),
            key=lambda name: len(ways[name]),
        )
        for kind, ways in CHOICES.items()
    }


def test_whatever_two_choices_go_together_are_tried_together() -> None:
    tried: set[frozenset[tuple[str, str]]] = set()
    for path in K8S.glob("tests/*-*/"):
        tried |= {frozenset(pair) for pair in combinations(chosen(components_of(path)).items(), 2)}
    wanted = {
        frozenset([(one, a), (other, b)])
        for one, other in combinations(CHOICES, 2)
        for a, b in product(CHOICES[one], CHOICES[other])
    }
    # KEDA asks Strimzi's Kafka with Strimzi's certificates.
    senseless = {
        frozenset([("Kafka", way), ("scaling", "of workers too")])
        for way in ("in the clear", "with TLS")
    }
    assert tried == wanted - senseless


def test_every_component_is_in_an_overlay_or_a_combination() -> None:
    there = {path.parent for path in (K8S / "components").glob("*/kustomization.yaml")}
    used = {part.partition("/")[0] for path in APPLIED for part in components_of(path)}
    assert {path.name for path in there} == used


def test_a_service_is_an_instance_of_the_shape_in_a_few_lines() -> None:
    for service in SERVICES:
        [file] = (K8S / "base" / service).iterdir()
        assert len(file.read_text().splitlines()) <= LINES_MAX, file


def test_whoever_makes_secrets_by_hand_finds_each_of_them_in_the_docs() -> None:
    page = (REPOSITORY / "docs" / "kubernetes.md").read_text()
    named = {*OWNER, *(name for service in SERVICES for name in secrets_of(service))}
    assert {name for name in named if f"`{name}`" not in page} == set()


def test_topics_users_and_scaling_are_those_of_the_code() -> None:
    for path, text in files().items():
        assert path.read_text() == text, f"{path} is not what the code says: `make docs`"
