"""What is an operator's passes the operator's definitions: no field too many, and none wrong."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from deploy_checks.definitions import OPERATORS, definitions, strimzi, validator
from deploy_checks.render import K8S, Absent, Rendered, Resource, rendered
from deploy_tools import cache

OVERLAYS = ("prod", "demo", "local")
NOT_KNOWN = "barmancloud.cnpg.io"
"""Of a plugin, whose definitions are in no registry that we reach: docs/kubernetes.md says so."""
BUILTIN = "1.30"
SECONDS_MAX = 120

type Validate = Callable[[list[Resource]], str]


@pytest.fixture(scope="module")
def validate(tmp_path_factory: pytest.TempPathFactory) -> Validate:
    """What is wrong with objects, in the words of an API server; nothing: they would be taken."""
    folder = tmp_path_factory.mktemp("definitions")
    try:
        program = validator()
        for number, path in enumerate(definitions()):
            shutil.copy(path, folder / f"{number}-{path.name}")
    except (Absent, cache.Absent) as why:
        pytest.skip(str(why))

    def validate(objects: list[Resource]) -> str:
        file = folder.with_name("objects.yaml")
        file.write_text(yaml.safe_dump_all(objects))
        done = subprocess.run(  # noqa: S603
            [program, file, "--local-crds", folder, "--version", BUILTIN],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )
        return "" if done.returncode == 0 else done.stdout + done.stderr

    return validate


def group_of(each: Resource) -> str:
    return str(each["apiVersion"]).rpartition("/")[0]


def of_operators(applied: Rendered) -> Iterator[Resource]:
    known = {*OPERATORS, "kafka.strimzi.io"}
    yield from (each for each in applied.resources if group_of(each) in known)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_kind_that_is_not_kubernetes_own_is_looked_at(overlay: str) -> None:
    applied = Rendered(rendered(K8S / "overlays" / overlay))
    theirs = {group_of(each) for each in applied.resources if "." in group_of(each)}
    theirs = {it for it in theirs if not it.endswith(".k8s.io") or it.startswith("gateway.")}
    assert theirs <= {*OPERATORS, "kafka.strimzi.io", NOT_KNOWN}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_an_operators_own_passes_its_definitions(validate: Validate, overlay: str) -> None:
    applied = [*of_operators(Rendered(rendered(K8S / "overlays" / overlay)))]
    assert len(applied) > 10
    assert validate(applied) == ""


def of_kind(kind: str) -> Resource:
    applied = Rendered(rendered(K8S / "overlays" / "prod"))
    return next(each for each in of_operators(applied) if each["kind"] == kind)


@pytest.mark.parametrize(
    ("kind", "member", "value", "said"),
    [
        ("KafkaTopic", "partition", 64, "partition"),
        ("KafkaUser", "authentication", {"type": "kerberos"}, "kerberos"),
        ("Cluster", "instances", 0, "instances"),
        ("ScaledObject", "maxReplicaCount", "many", "maxReplicaCount"),
        ("ExternalSecret", "refreshIntervall", "1h", "refreshIntervall"),
        ("HTTPRoute", "hostname", "a.example", "hostname"),
        ("PodMonitor", "podMetricsEndpoints", "all", "podMetricsEndpoints"),
    ],
)
def test_a_mistake_is_refused_by_name(
    validate: Validate, kind: str, member: str, value: object, said: str
) -> None:
    mistaken = of_kind(kind)  # as it is, it passes: above
    mistaken["spec"][member] = value
    assert said in validate([mistaken])


def test_strimzis_definitions_are_written_by_strimzi() -> None:
    try:
        folder: Path = strimzi()
    except Absent as why:
        pytest.skip(str(why))
    kinds = {
        yaml.safe_load(path.read_text())["spec"]["names"]["kind"] for path in folder.glob("*.yaml")
    }
    assert kinds == {"Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser"}
