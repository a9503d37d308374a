"""A real API server, told strictly and without keeping anything, would take every object as it is:
Kubernetes' own, by its validation, its defaults and Pod Security; the operators', by the operators'
definitions, with their rules. Mistakes of each of these kinds are refused by name.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_checks.api_server import ApiServer, api_server
from deploy_checks.combinations import Parts
from deploy_checks.definitions import OPERATORS, STRIMZI, definitions, strimzi
from deploy_checks.render import (
    APPLIED,
    REPOSITORY,
    Absent,
    Rendered,
    Resource,
    distinct,
    group_of,
    rendered,
)
from deploy_tools import cache

OF_OPERATORS = {*OPERATORS, STRIMZI}
TRIED = REPOSITORY / "deploy" / "cluster" / "k8s"
"""What `make cluster` applies."""
KEPT = ("Namespace", "PriorityClass")
"""What has to be there for others to be looked at."""


@pytest.fixture(scope="module")
def everything(parts: Parts) -> list[Resource]:
    applied = [Rendered(rendered(path)) for path in (*APPLIED, TRIED)]
    return [*distinct([*applied, Rendered([*parts.all()])])]


@pytest.fixture(scope="module")
def server(
    everything: Sequence[Resource], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """One that knows the operators' kinds and has our namespace."""
    folder = tmp_path_factory.mktemp("api-server")
    try:
        kinds = {(group_of(each), each["kind"]) for each in everything}
        known = [*definitions(kinds)]
        # Service accounts are made with the pods that have them, and nothing is kept here.
        options = ("--disable-admission-plugins=ServiceAccount",)
        with api_server(folder, options=options) as running:
            there = folder / "there.yaml"
            kept = [each for each in everything if each["kind"] in KEPT]
            there.write_text(yaml.dump_all([*known, *kept], Dumper=yaml.CSafeDumper))
            running.kubectl("apply", "--server-side", "--filename", there)
            running.kubectl(
                "wait", "--for=condition=Established", "--all", "customresourcedefinitions"
            )
            yield running
    except (Absent, cache.Absent) as why:
        pytest.skip(str(why))


def test_every_kind_is_kubernetes_own_or_an_operators_that_we_know(
    everything: Sequence[Resource],
) -> None:
    groups = {group_of(each) for each in everything}
    theirs = {it for it in groups if "." in it and not it.endswith(".k8s.io")}
    assert theirs <= OF_OPERATORS


def test_every_object_of_every_combination_would_be_taken_as_it_is(
    server: ApiServer, everything: Sequence[Resource]
) -> None:
    assert len(everything) > 500
    assert {group_of(each) for each in everything} >= OF_OPERATORS
    assert server.against(everything) == ""


def pods(everything: Sequence[Resource]) -> Iterator[Resource]:
    """As Deployments and Jobs make them."""
    for number, (each, template) in enumerate(Rendered(everything).workloads()):
        namespace = each["metadata"]["namespace"]
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{each['metadata']['name']}-{number}",
                "namespace": namespace,
                "labels": template["metadata"]["labels"],
            },
            "spec": deepcopy(template["spec"]),
        }


def test_every_pod_that_is_made_of_them_would_be_let_in(
    server: ApiServer, everything: Sequence[Resource]
) -> None:
    made = [*pods(everything)]
    assert len(made) >= 12
    assert server.against(made) == ""


type Break = Callable[[Resource], None]


def puts(*path: str | int, value: object) -> Break:
    """Puts a value at a place."""

    def broken(each: Resource) -> None:
        place: Any = each
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return broken


def asks_of_two_issuers(each: Resource) -> None:
    each["spec"]["jwt"]["providers"][0]["localJWKS"] = {"type": "Inline", "inline": "{}"}


def is_for_one_and_for_many(each: Resource) -> None:
    each["spec"]["targetRef"] = each["spec"]["targetRefs"][0]


POD = ("spec", "template", "spec")
ADDRESS = ("spec", "egress", 0, "to", 0, "ipBlock", "cidr")
MISTAKES: list[tuple[str, str, Break, str]] = [
    # A field that there is not, or that says something of another kind.
    ("Deployment", "review-api", puts("spec", "replica", value=2), ".spec.replica"),
    ("Deployment", "review-api", puts("spec", "replicas", value="two"), ".spec.replicas"),
    ("KafkaTopic", "", puts("spec", "partition", value=64), ".spec.partition"),
    ("ExternalSecret", "", puts("spec", "refreshIntervall", value="1h"), "refreshIntervall"),
    ("HTTPRoute", "review", puts("spec", "hostname", value="a.example"), ".spec.hostname"),
    ("PodMonitor", "", puts("spec", "podMetricsEndpoints", value="all"), "podMetricsEndpoints"),
    ("ScaledObject", "", puts("spec", "maxReplicaCount", value="many"), "maxReplicaCount"),
    # A word that is none of those that are known.
    (
        "Deployment",
        "review-api",
        puts(*POD, "containers", 0, "imagePullPolicy", value="Sometimes"),
        "Sometimes",
    ),
    ("Job", "review-migrate", puts(*POD, "restartPolicy", value="Always"), "restartPolicy"),
    ("KafkaUser", "", puts("spec", "authentication", "type", value="kerberos"), "kerberos"),
    ("EnvoyPatchPolicy", "heads", puts("spec", "type", value="Merge"), "spec.type"),
    # A number or an address that is none.
    ("Cluster", "", puts("spec", "instances", value=0), "spec.instances"),
    ("ObjectStore", "", puts("spec", "retentionPolicy", value="60 days"), "retentionPolicy"),
    ("NetworkPolicy", "outside", puts(*ADDRESS, value="10.0.0.0/33"), "10.0.0.0/33"),
    # What only a rule says of several members.
    ("HorizontalPodAutoscaler", "", puts("spec", "minReplicas", value=7), "spec.maxReplicas"),
    ("PodDisruptionBudget", "review-api", puts("spec", "minAvailable", value=1), "cannot be both"),
    ("SecurityPolicy", "tokens", asks_of_two_issuers, "cannot both be specified"),
    ("BackendTrafficPolicy", "answers", is_for_one_and_for_many, "either targetRef or targetRefs"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda it: f"{it[0]}-{it[3]}")
def test_a_mistake_is_refused_by_name(
    server: ApiServer, everything: Sequence[Resource], mistake: tuple[str, str, Break, str]
) -> None:
    kind, name, breaks, said = mistake
    mistaken = deepcopy(
        next(
            each
            for each in everything
            if each["kind"] == kind and name in ("", each["metadata"]["name"])
        )
    )
    breaks(mistaken)  # as it was, it is taken: above
    assert said in server.against([mistaken])


def sees_the_node(each: Resource) -> None:
    volumes = each["spec"]["volumes"]
    volumes[0] = {"name": volumes[0]["name"], "hostPath": {"path": "/"}}


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (
            puts("spec", "containers", 0, "securityContext", value={"privileged": True}),
            'violates PodSecurity "restricted:latest": privileged',
        ),
        (puts("spec", "hostNetwork", value=True), "hostNetwork=true"),
        (sees_the_node, "hostPath"),
        (puts("spec", "securityContext", "runAsUser", value=0), "runAsUser=0"),
        (puts("spec", "priorityClassName", value="first-of-all"), "first-of-all"),
    ],
)
def test_a_pod_with_rights_is_not_let_in(
    server: ApiServer, everything: Sequence[Resource], mistake: Break, said: str
) -> None:
    [pod, *_] = pods(everything)
    assert server.against([pod]) == ""
    mistake(pod)
    assert said in server.against([pod])


def test_strimzis_definitions_are_written_by_strimzi() -> None:
    try:
        folder: Path = strimzi()
    except Absent as why:
        pytest.skip(str(why))
    kinds = {
        yaml.safe_load(path.read_text())["spec"]["names"]["kind"] for path in folder.glob("*.yaml")
    }
    assert kinds == {"Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser"}
