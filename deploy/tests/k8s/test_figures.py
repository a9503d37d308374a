"""The page tells the figures that production has: each of its cells is made of what is rendered."""

import re
from collections.abc import Callable, Mapping

import pytest
from deploy_checks.render import (
    K8S,
    REPOSITORY,
    Absent,
    Rendered,
    Resource,
    environment_of,
    rendered,
)
from deploy_checks.rules import MIGRATING, PEOPLE
from deploy_checks.secrets import loaded
from shared_runtime.database import PROBE_CONNECTIONS
from shared_runtime.http import SHUTDOWN_SECONDS_MAX

PAGE = REPOSITORY / "docs" / "kubernetes.md"
TABLE = re.compile(r"\| figure \| value \| why \|\n\|[-|]+\|\n((?:\|.*\n)+)")
TIMES = "\u00d7"
HOW_MANY = {0: "none", 1: "one"}
HOW_LONG = {"-1": "for ever", "604800000": "a week"}


class Production:
    """What the overlay applies, of one service: all have the same figures, by a rule."""

    def __init__(self, applied: Rendered) -> None:
        self._applied = applied
        self.settings = loaded(
            "review", environment_of(applied, self.of("Deployment", "review-worker")["template"])
        )

    def of(self, kind: str, name: str) -> Resource:
        found = self._applied.named(kind, name)
        assert found is not None
        spec: Resource = found["spec"]
        return spec

    def pod(self, name: str) -> Resource:
        told: Resource = self.of("Deployment", name)["template"]["spec"]
        return told

    def process(self, name: str) -> Resource:
        told: Resource = self.pod(name)["containers"][0]
        return told

    def tmp(self, name: str) -> str:
        [volume] = [it for it in self.pod(name)["volumes"] if it["name"] == "tmp"]
        return size(volume["emptyDir"]["sizeLimit"])

    @property
    def scaling(self) -> tuple[Resource, Resource]:
        return (
            self.of("HorizontalPodAutoscaler", "review-api"),
            self.of("ScaledObject", "review-worker"),
        )


@pytest.fixture(scope="module")
def production() -> Production:
    try:
        return Production(Rendered(rendered(K8S / "overlays" / "prod-full")))
    except Absent as why:
        pytest.skip(str(why))


def size(told: str) -> str:
    """160Mi as people write it."""
    mebibytes = int(told[:-2]) * {"Mi": 1, "Gi": 1024}[told[-2:]]
    return f"{mebibytes} MiB" if mebibytes < 1024 else f"{mebibytes / 1024:g} GiB"


def startup(it: Production) -> str:
    probe = it.process("review-api")["startupProbe"]
    return (
        f"{probe['failureThreshold']} tries, {probe['periodSeconds']} s apart, "
        f"{probe['timeoutSeconds']} s each"
    )


def probed(kind: str) -> Callable[[Production], str]:
    def told(it: Production) -> str:
        probe = it.process("review-api")[f"{kind}Probe"]
        return (
            f"`{probe['httpGet']['path']}` {probe['failureThreshold']} {TIMES} "
            f"{probe['periodSeconds']} s, {probe['timeoutSeconds']} s each"
        )

    return told


def end_of_an_api(it: Production) -> str:
    pause = it.process("review-api")["lifecycle"]["preStop"]["sleep"]["seconds"]
    grace = it.pod("review-api")["terminationGracePeriodSeconds"]
    return f"{pause} s pause, then {SHUTDOWN_SECONDS_MAX} s for what has begun, {grace} s in all"


def end_of_a_worker(it: Production) -> str:
    assert "lifecycle" not in it.process("review-worker")
    return f"{it.pod('review-worker')['terminationGracePeriodSeconds']} s, no pause"


def rollout(it: Production) -> str:
    spec = it.of("Deployment", "review-api")
    how = spec["strategy"]["rollingUpdate"]
    return (
        f"{HOW_MANY[how['maxSurge']]} more at a time, {HOW_MANY[how['maxUnavailable']]} less, "
        f"{spec['minReadySeconds']} s apart; given up after {spec['progressDeadlineSeconds']} s; "
        f"{spec['revisionHistoryLimit']} kept to go back to"
    )


def migration(it: Production) -> str:
    waits = it.pod("review-api")["initContainers"][0]["args"][-1]
    job = it.of("Job", "review-migrate")
    told = job["template"]["spec"]["containers"][0]["resources"]
    asked, limits = told["requests"], told["limits"]
    return (
        f"tried {job['backoffLimit']} times again, waited for {waits} s; {asked['cpu']}, "
        f"{size(asked['memory'])}, limit {size(limits['memory'])}"
    )


def requests(it: Production) -> str:
    api, worker = (it.process(f"review-{kind}")["resources"] for kind in ("api", "worker"))
    assert api["requests"] == worker["requests"]
    assert [*api["limits"], *worker["limits"]] == ["memory", "memory"]
    asked = api["requests"]
    return (
        f"{asked['cpu']}, {size(asked['memory'])}; limit {size(worker['limits']['memory'])}, "
        f"of an API {size(api['limits']['memory'])}; no limit of processor time"
    )


def processes(it: Production) -> str:
    api, worker = it.scaling
    percent = api["metrics"][0]["resource"]["target"]["averageUtilization"]
    lag = int(worker["triggers"][0]["metadata"]["lagThreshold"])
    return (
        f"APIs {api['minReplicas']} to {api['maxReplicas']}, by {percent} % of the processor time "
        f"that they ask for; workers {worker['minReplicaCount']} to {worker['maxReplicaCount']}, "
        f"by {lag:,} records that wait"
    )


def connections(it: Production) -> str:
    api, worker = it.scaling
    most = api["maxReplicas"], worker["maxReplicaCount"]
    count = sum(most) + 2
    own, keys = it.settings.connections, it.settings.keys_connections
    more = MIGRATING + PEOPLE
    has, of_keys = (
        it.of("Cluster", f"review-{kind}")["postgresql"]["parameters"]["max_connections"]
        for kind in ("database", "keys")
    )
    assert int(of_keys) == count * keys + more
    return (
        f"({most[0]} + 1 + {most[1]} + 1) {TIMES} ({own} + {PROBE_CONNECTIONS}) + {MIGRATING} + "
        f"{PEOPLE} = {count * (own + PROBE_CONNECTIONS) + more} of {has}; "
        f"keys: {count} {TIMES} {keys} + {more} = {of_keys}"
    )


def databases(it: Production) -> str:
    clusters = [it.of("Cluster", f"review-{kind}") for kind in ("database", "keys")]
    [instances] = {each["instances"] for each in clusters}
    [others] = {each["postgresql"]["synchronous"]["number"] for each in clusters}
    return f"{instances} of each; what is committed is at {HOW_MANY[others]} other at least"


def kafka(it: Production) -> str:
    own, feed = (it.of("KafkaTopic", name) for name in ("review.events", "marketplace.orders"))
    brokers = it.of("KafkaNodePool", "brokers")["replicas"]
    kept = [HOW_LONG[each["config"]["retention.ms"]] for each in (own, feed)]
    return (
        f"{brokers} brokers; {own['partitions']} partitions, {own['replicas']} copies, "
        f"{own['config']['min.insync.replicas']} in step, kept {kept[0]} (feeds: {kept[1]})"
    )


def backups(it: Production) -> str:
    days = [it.of("ObjectStore", name)["retentionPolicy"].rstrip("d") for name in ("logs", "keys")]
    return f"logs {days[0]} days, keys {days[1]}"


TOLD: Mapping[str, Callable[[Production], str]] = {
    "startup probe": startup,
    "liveness": probed("liveness"),
    "readiness": probed("readiness"),
    "end of an API process": end_of_an_api,
    "end of a worker": end_of_a_worker,
    "rollout": rollout,
    "migration": migration,
    "requests": requests,
    "processes": processes,
    "`/tmp`": lambda it: f"{it.tmp('review-worker')}, of an API {it.tmp('review-api')}",
    "connections": connections,
    "databases": databases,
    "Kafka": kafka,
    "backups": backups,
}


def test_the_page_tells_the_figures_of_production(production: Production) -> None:
    [table] = TABLE.findall(PAGE.read_text())
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert {name: value for name, value, _ in rows} == {
        name: told(production) for name, told in TOLD.items()
    }
