"""Each rule is broken once, in what production applies: it is noticed, and by its own rule."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from deploy_checks.render import K8S, NotRendered, Rendered, Resource, rendered
from deploy_checks.rules import (
    RULES,
    files_of_people_find_room,
    what_is_read_finds_room,
    wrong_with,
)
from shared_runtime.keeping import DAY_MS

type Break = Callable[[Rendered], None]


@pytest.fixture(scope="module")
def production() -> Rendered:
    return Rendered(rendered(K8S / "overlays" / "prod-full"))


def the(applied: Rendered, kind: str, name: str) -> Resource:
    found = applied.named(kind, name)
    assert found is not None
    return found


def pod(applied: Rendered, name: str = "review-api", kind: str = "Deployment") -> Resource:
    template: Resource = the(applied, kind, name)["spec"]["template"]["spec"]
    return template


def container(applied: Rendered, name: str = "review-api", kind: str = "Deployment") -> Resource:
    told: Resource = pod(applied, name, kind)["containers"][0]
    return told


def settings(applied: Rendered, service: str = "review") -> Resource:
    return next(
        each["data"]
        for each in applied.of("ConfigMap")
        if each["metadata"]["name"].startswith(f"{service}-settings")
    )


def puts(where: Callable[[Rendered], Any], **members: Any) -> Break:  # noqa: ANN401
    def broken(applied: Rendered) -> None:
        where(applied).update(members)

    return broken


def takes(where: Callable[[Rendered], Any], *members: str) -> Break:
    def broken(applied: Rendered) -> None:
        for member in members:
            del where(applied)[member]

    return broken


def job(applied: Rendered) -> Resource:
    return pod(applied, "returns-migrate", "Job")


def first(applied: Rendered) -> Resource:
    told: Resource = pod(applied)["initContainers"][0]
    return told


def worker(applied: Rendered) -> Resource:
    return pod(applied, "review-worker")


def worker_limits(applied: Rendered) -> Resource:
    told: Resource = worker(applied)["containers"][0]["resources"]["limits"]
    return told


def tmp(applied: Rendered) -> Resource:
    volume: Resource
    [volume] = [each for each in pod(applied)["volumes"] if each["name"] == "tmp"]
    return volume


def keys_without_a_folder(applied: Rendered) -> None:
    settings(applied)["AFTERSALES_MEDIA_URL"] = "file:///tmp/files"


def another_label(applied: Rendered) -> None:
    the(applied, "Service", "review-api")["spec"]["selector"] = {
        "app.kubernetes.io/part-of": "aftersales"
    }


def one_group_less(applied: Rendered) -> None:
    the(applied, "ScaledObject", "review-worker")["spec"]["triggers"].pop()


def keys_for_longer(applied: Rendered) -> None:
    the(applied, "ObjectStore", "keys")["spec"]["retentionPolicy"] = "30d"


def keys_with_the_log(applied: Rendered) -> None:
    [plugin] = the(applied, "Cluster", "review-keys")["spec"]["plugins"]
    plugin["parameters"]["barmanObjectName"] = "logs"


def feed_config(**configs: str) -> Break:
    return puts(lambda a: the(a, "KafkaTopic", "marketplace.orders")["spec"]["config"], **configs)


def twice(applied: Rendered) -> None:
    [*resources] = applied.resources
    object.__setattr__(applied, "resources", [*resources, deepcopy(resources[5])])


def too_few_connections(applied: Rendered) -> None:
    told = the(applied, "Cluster", "review-database")["spec"]["postgresql"]["parameters"]
    told["max_connections"] = "303"


def more_processes(applied: Rendered) -> None:
    the(applied, "HorizontalPodAutoscaler", "review-api")["spec"]["maxReplicas"] = 7


def larger_pools(applied: Rendered) -> None:
    settings(applied)["AFTERSALES_KEYS_CONNECTIONS"] = "9"


def more_clients(applied: Rendered) -> None:
    settings(applied)["AFTERSALES_CLIENT_CONNECTIONS"] = "713"


def plain_kafka(applied: Rendered) -> None:
    told = settings(applied)
    told["AFTERSALES_KAFKA_SECURITY"] = "PLAINTEXT"
    for name in ("CA", "CERTIFICATE", "KEY"):
        del told[f"AFTERSALES_KAFKA_{name}"]


def no_certificate(applied: Rendered) -> None:
    mounts = container(applied, "review-worker")["volumeMounts"]
    mounts[:] = [each for each in mounts if each["name"] != "kafka"]


def one_source_less(applied: Rendered) -> None:
    told = json.loads(settings(applied)["AFTERSALES_SOURCES"])
    del told["dispute.events"]
    settings(applied)["AFTERSALES_SOURCES"] = json.dumps(told)


def another_gateway(applied: Rendered) -> None:
    the(applied, "HTTPRoute", "dispute")["spec"]["hostnames"] = ["disputes.shop.example"]


def door(applied: Rendered) -> Resource:
    told: Resource = the(applied, "Service", "review-api")["spec"]["ports"][0]
    return told


def provider(applied: Rendered) -> Resource:
    [told] = the(applied, "SecurityPolicy", "tokens")["spec"]["jwt"]["providers"]
    found: Resource = told
    return found


def route(applied: Rendered) -> Resource:
    told: Resource = the(applied, "HTTPRoute", "review")["spec"]
    return told


def patched(applied: Rendered) -> Resource:
    told: Resource = the(applied, "EnvoyPatchPolicy", "heads")["spec"]
    return told


def listener(applied: Rendered) -> Resource:
    told: Resource = the(applied, "Kafka", "kafka")["spec"]["kafka"]["listeners"][0]
    return told


def trigger(applied: Rendered) -> Resource:
    told: Resource = the(applied, "ScaledObject", "review-worker")["spec"]["triggers"][0]
    return told


def topic(applied: Rendered) -> Resource:
    told: Resource = the(applied, "KafkaTopic", "review.events")["spec"]
    return told


def deployment(applied: Rendered) -> Resource:
    told: Resource = the(applied, "Deployment", "review-api")["spec"]
    return told


def scaling(applied: Rendered) -> Resource:
    told: Resource = the(applied, "HorizontalPodAutoscaler", "review-api")["spec"]
    return told


def kafka_config(applied: Rendered) -> Resource:
    told: Resource = the(applied, "Kafka", "kafka")["spec"]["kafka"]["config"]
    return told


def monitor(applied: Rendered, name: str = "aftersales-api") -> Resource:
    told: Resource = the(applied, "PodMonitor", name)["spec"]
    return told


def source(applied: Rendered, volume: str, number: int = 0) -> Resource:
    """A Secret that a migration is given."""
    spec = pod(applied, "review-migrate", "Job")
    [told] = [each for each in spec["volumes"] if each["name"] == volume]
    secret: Resource = told["projected"]["sources"][number]["secret"]
    return secret


def without(kind: str, name: str) -> Break:
    def broken(applied: Rendered) -> None:
        gone = the(applied, kind, name)
        kept = [each for each in applied.resources if each is not gone]
        object.__setattr__(applied, "resources", kept)

    return broken


def plain_kafka_said_twice(applied: Rendered) -> None:
    plain_kafka(applied)
    settings(applied)["AFTERSALES_KAFKA_UNENCRYPTED"] = "true"


def keda_elsewhere(applied: Rendered) -> None:
    trigger(applied)["metadata"]["bootstrapServers"] = "kafka:9093"


def servers_elsewhere(applied: Rendered) -> None:
    """As with servers that are outside, none of which is called so."""
    without("Kafka", "kafka")(applied)
    settings(applied)["AFTERSALES_KAFKA"] = "nowhere:9092"


NO_SUCH = """'[{"op": "remove", "path": "/spec/retries"}]'}]"""
BROKEN: tuple[tuple[str, Break], ...] = (
    ("pods_have_no_rights", puts(lambda a: pod(a)["securityContext"], runAsUser=0)),
    ("pods_have_no_rights", takes(lambda a: job(a)["securityContext"], "seccompProfile")),
    ("pods_have_no_rights", takes(lambda a: first(a)["securityContext"], "readOnlyRootFilesystem")),
    (
        "pods_have_no_rights",
        puts(lambda a: container(a)["securityContext"], allowPrivilegeEscalation=True),
    ),
    (
        "pods_have_no_rights",
        puts(lambda a: container(a)["securityContext"]["capabilities"], add=["NET_ADMIN"]),
    ),
    ("pods_have_no_rights", puts(worker, hostNetwork=True)),
    ("pods_know_nothing_of_the_cluster", takes(job, "automountServiceAccountToken")),
    ("pods_know_nothing_of_the_cluster", puts(pod, enableServiceLinks=True)),
    ("pods_know_nothing_of_the_cluster", takes(worker, "serviceAccountName")),
    ("volumes_are_bounded", puts(lambda a: pod(a)["volumes"][2], emptyDir={})),
    (
        "volumes_are_bounded",
        lambda a: pod(a)["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
    ),
    ("volumes_are_bounded", takes(lambda a: container(a)["volumeMounts"][0], "readOnly")),
    ("volumes_are_bounded", puts(lambda a: container(a)["volumeMounts"][0], name="nowhere")),
    ("processes_are_looked_after", takes(container, "startupProbe")),
    (
        "processes_are_looked_after",
        puts(lambda a: container(a)["livenessProbe"]["httpGet"], path="/readyz"),
    ),
    (
        "processes_are_looked_after",
        puts(lambda a: container(a)["readinessProbe"], timeoutSeconds=2),
    ),
    ("resources_are_asked_for", takes(lambda a: container(a)["resources"]["limits"], "memory")),
    ("resources_are_asked_for", takes(lambda a: first(a)["resources"]["requests"], "cpu")),
    ("resources_are_asked_for", takes(lambda a: first(a)["resources"]["requests"], "memory")),
    ("resources_are_asked_for", puts(lambda a: container(a)["resources"]["limits"], cpu="1")),
    (
        "files_of_people_find_room",
        puts(lambda a: container(a)["resources"]["limits"], memory="2463Mi"),
    ),
    ("files_of_people_find_room", more_clients),
    ("files_of_people_find_room", puts(tmp, emptyDir={"sizeLimit": "1023Mi"})),
    ("what_is_read_finds_room", puts(worker_limits, memory="1945Mi")),
    (
        "what_is_read_finds_room",
        puts(lambda a: job(a)["containers"][0]["resources"]["limits"], memory="759Mi"),
    ),
    (
        "each_deployment_is_kept_available",
        puts(
            lambda a: the(a, "PodDisruptionBudget", "review-api")["spec"]["selector"],
            matchLabels={"app.kubernetes.io/part-of": "aftersales"},
        ),
    ),
    (
        "each_deployment_is_kept_available",
        puts(lambda a: the(a, "PodDisruptionBudget", "review-worker")["spec"], maxUnavailable=0),
    ),
    ("each_deployment_is_kept_available", lambda a: pod(a)["topologySpreadConstraints"].pop()),
    (
        "each_deployment_is_kept_available",
        puts(lambda a: the(a, "Deployment", "review-api")["spec"]["strategy"], rollingUpdate={}),
    ),
    ("processes_end_in_time", takes(container, "lifecycle")),
    ("processes_end_in_time", puts(pod, terminationGracePeriodSeconds=15)),
    ("processes_end_in_time", puts(worker, terminationGracePeriodSeconds=25)),
    ("code_waits_for_its_migration", takes(pod, "initContainers")),
    ("code_waits_for_its_migration", puts(first, args=["migrated", "--wait", "600"])),
    ("code_waits_for_its_migration", takes(job, "priorityClassName")),
    ("settings_are_whole", lambda a: settings(a).pop("AFTERSALES_ISSUER")),
    ("settings_are_whole", puts(settings, AFTERSALES_SECRETS_DIR="/run/secrets/aftersales")),
    ("settings_are_whole", lambda a: settings(a, "returns").pop("AFTERSALES_CARRIER_URL")),
    ("settings_are_whole", keys_without_a_folder),
    ("settings_are_whole", plain_kafka),
    ("settings_are_whole", no_certificate),
    ("what_a_topic_has_lost_is_found", lambda a: settings(a).pop("AFTERSALES_SOURCES")),
    ("what_a_topic_has_lost_is_found", one_source_less),
    ("what_a_topic_has_lost_is_found", another_gateway),
    ("what_a_topic_has_lost_is_found", lambda a: settings(a).pop("AFTERSALES_SOURCE_TOKEN_FILE")),
    ("databases_take_all_connections", too_few_connections),
    ("databases_take_all_connections", more_processes),
    ("databases_take_all_connections", larger_pools),
    (
        "one_alone_says_how_many",
        puts(lambda a: the(a, "Deployment", "review-worker")["spec"], replicas=2),
    ),
    ("one_alone_says_how_many", one_group_less),
    (
        "one_alone_says_how_many",
        puts(lambda a: the(a, "ScaledObject", "review-worker")["spec"], maxReplicaCount=65),
    ),
    ("services_lead_to_pods", another_label),
    (
        "services_lead_to_pods",
        puts(lambda a: the(a, "Service", "review-api")["spec"]["ports"][0], targetPort="https"),
    ),
    ("what_is_named_is_there", puts(container, image="aftersales/review-service:latest")),
    ("what_is_named_is_there", puts(first, envFrom=[{"configMapRef": {"name": "settings"}}])),
    ("nothing_is_there_twice", twice),
    (
        "nothing_is_there_twice",
        puts(lambda a: the(a, "Service", "review-api")["metadata"], namespace="default"),
    ),
    ("keys_are_not_kept_for_long", keys_for_longer),
    ("keys_are_not_kept_for_long", keys_with_the_log),
    ("what_is_announced_is_not_kept_longer_than_keys", feed_config(**{"retention.ms": "-1"})),
    (
        "what_is_announced_is_not_kept_longer_than_keys",
        feed_config(**{"segment.ms": str(8 * DAY_MS)}),
    ),
    (
        "what_is_announced_is_not_kept_longer_than_keys",
        puts(settings, AFTERSALES_KEYS_BACKUP_DAYS="15"),
    ),
    *(
        ("figures_are_those_that_are_meant", broken)
        for broken in (
            puts(lambda a: container(a)["startupProbe"], timeoutSeconds=1),
            puts(lambda a: container(a)["startupProbe"], failureThreshold=60),
            puts(lambda a: container(a)["livenessProbe"], periodSeconds=1, failureThreshold=1),
            puts(lambda a: container(a)["readinessProbe"], failureThreshold=1),
            puts(pod, terminationGracePeriodSeconds=31),
            takes(deployment, "minReadySeconds"),
            takes(deployment, "revisionHistoryLimit"),
            puts(deployment, progressDeadlineSeconds=301),
            puts(deployment, replicas=1),
            puts(lambda a: container(a)["resources"]["requests"], memory="16Mi"),
            puts(
                lambda a: container(a, "review-worker")["resources"]["limits"],
                memory="100Mi",
            ),
            puts(lambda a: first(a)["resources"]["limits"], memory="64Mi"),
            puts(lambda a: the(a, "Job", "review-migrate")["spec"], backoffLimit=1),
            puts(scaling, minReplicas=1),
            puts(scaling, maxReplicas=5),
            puts(lambda a: scaling(a)["metrics"][0]["resource"]["target"], averageUtilization=5),
            puts(lambda a: the(a, "ScaledObject", "review-worker")["spec"], minReplicaCount=0),
            puts(lambda a: trigger(a)["metadata"], lagThreshold="1"),
            puts(lambda a: the(a, "KafkaNodePool", "controllers")["spec"], replicas=1),
            puts(kafka_config, **{"min.insync.replicas": 1}),
            puts(kafka_config, **{"auto.create.topics.enable": True}),
            puts(lambda a: topic(a)["config"], **{"min.insync.replicas": 1}),
            puts(topic, replicas=1),
            puts(topic, partitions=32),
            puts(lambda a: the(a, "Cluster", "review-keys")["spec"], instances=1),
            takes(
                lambda a: the(a, "Cluster", "review-database")["spec"]["postgresql"],
                "synchronous",
            ),
            keys_for_longer,
            puts(lambda a: the(a, "ObjectStore", "logs")["spec"], retentionPolicy="1d"),
        )
    ),
    ("ports_are_those_of_the_code", puts(door, port=80)),
    ("ports_are_those_of_the_code", puts(door, targetPort="metrics")),
    ("ports_are_those_of_the_code", puts(lambda a: container(a)["ports"][0], containerPort=8080)),
    ("ports_are_those_of_the_code", puts(settings, AFTERSALES_METRICS_PORT="9000")),
    ("routes_lead_somewhere", puts(door, port=80)),
    ("routes_lead_somewhere", without("Service", "returns-api")),
    ("routes_lead_somewhere", puts(lambda a: route(a)["rules"][0]["backendRefs"][0], port=80)),
    ("routes_lead_somewhere", puts(lambda a: route(a)["parentRefs"][0], name="another")),
    ("routes_lead_somewhere", without("GatewayClass", "aftersales")),
    ("routes_lead_somewhere", without("HTTPRouteFilter", "nothing")),
    ("routes_lead_somewhere", without("HTTPRoute", "review-signed")),
    ("routes_lead_somewhere", puts(lambda a: patched(a)["targetRef"], name="another")),
    (
        "routes_lead_somewhere",
        puts(lambda a: patched(a)["jsonPatches"][0], name="aftersales/aftersales/http"),
    ),
    ("one_token_passes_all", puts(provider, issuer="https://id.shop.example")),
    ("one_token_passes_all", puts(provider, audiences=["shop"])),
    ("one_token_passes_all", puts(lambda a: provider(a)["remoteJWKS"], uri="https://id.example/k")),
    ("one_token_passes_all", puts(settings, AFTERSALES_ISSUER="https://id.shop.example")),
    ("one_token_passes_all", puts(settings, AFTERSALES_AUDIENCE="shop")),
    ("one_token_passes_all", without("SecurityPolicy", "tokens")),
    (
        "secrets_are_where_they_are_looked_for",
        puts(lambda a: pod(a)["volumes"][0]["secret"], secretName="dispute-secrets"),
    ),
    ("secrets_are_where_they_are_looked_for", puts(lambda a: source(a, "kafka"), name="kafka")),
    (
        "secrets_are_where_they_are_looked_for",
        puts(lambda a: source(a, "trust", 1), name="review-keys-ca"),
    ),
    (
        "secrets_are_where_they_are_looked_for",
        puts(lambda a: source(a, "trust")["items"][0], path="ca.crt"),
    ),
    (
        "secrets_are_where_they_are_looked_for",
        puts(lambda a: source(a, "secrets"), name="review-owner"),
    ),
    ("every_secret_is_made_by_somebody", without("ExternalSecret", "review-secrets")),
    ("every_secret_is_made_by_somebody", without("ExternalSecret", "keys-backups")),
    ("every_secret_is_made_by_somebody", without("KafkaUser", "keda-kafka")),
    (
        "every_secret_is_made_by_somebody",
        puts(lambda a: pod(a)["volumes"][0]["secret"], secretName="review-secret"),
    ),
    (
        "every_secret_is_made_by_somebody",
        puts(lambda a: source(a, "secrets", 1), name="review-owners"),
    ),
    (
        "every_secret_is_made_by_somebody",
        puts(
            lambda a: the(a, "Gateway", "aftersales")["spec"]["listeners"][0]["tls"],
            certificateRefs=[{"name": "certificate"}],
        ),
    ),
    (
        "every_secret_is_made_by_somebody",
        puts(
            lambda a: the(a, "ExternalSecret", "review-owner")["spec"],
            dataFrom=[{"extract": {"key": "owner"}}],
        ),
    ),
    (
        "every_secret_is_made_by_somebody",
        puts(
            lambda a: the(a, "ExternalSecret", "review-owner")["spec"]["secretStoreRef"],
            kind="SecretStore",
        ),
    ),
    ("kafka_is_where_it_is_looked_for", puts(settings, AFTERSALES_KAFKA="nowhere:9093")),
    ("kafka_is_where_it_is_looked_for", servers_elsewhere),
    ("kafka_is_where_it_is_looked_for", plain_kafka_said_twice),
    ("kafka_is_where_it_is_looked_for", puts(listener, port=9094)),
    ("kafka_is_where_it_is_looked_for", puts(listener, authentication={"type": "scram-sha-512"})),
    (
        "kafka_is_where_it_is_looked_for",
        takes(settings, "AFTERSALES_KAFKA_CERTIFICATE", "AFTERSALES_KAFKA_KEY"),
    ),
    ("kafka_is_where_it_is_looked_for", keda_elsewhere),
    ("kafka_is_where_it_is_looked_for", takes(lambda a: trigger(a)["metadata"], "tls")),
    ("kafka_is_where_it_is_looked_for", without("TriggerAuthentication", "kafka-lag")),
    (
        "kafka_is_one",
        puts(lambda a: the(a, "KafkaUser", "review-kafka")["metadata"], labels={}),
    ),
    ("every_database_is_there", without("Cluster", "returns-keys")),
    ("every_database_is_there", without("ScheduledBackup", "returns-keys")),
    (
        "every_database_is_there",
        takes(lambda a: the(a, "Cluster", "review-keys")["spec"], "plugins"),
    ),
    ("copies_have_somewhere_to_be", puts(topic, replicas=4)),
    (
        "copies_have_somewhere_to_be",
        puts(lambda a: topic(a)["config"], **{"min.insync.replicas": 3}),
    ),
    (
        "copies_have_somewhere_to_be",
        puts(lambda a: the(a, "KafkaNodePool", "brokers")["spec"], replicas=1),
    ),
    (
        "copies_have_somewhere_to_be",
        puts(lambda a: the(a, "Cluster", "review-keys")["spec"], instances=2),
    ),
    (
        "everybody_is_asked_for_metrics",
        puts(lambda a: monitor(a)["podMetricsEndpoints"][0], port="http"),
    ),
    (
        "everybody_is_asked_for_metrics",
        puts(lambda a: monitor(a, "aftersales-worker")["podMetricsEndpoints"][0], path="/health"),
    ),
    (
        "everybody_is_asked_for_metrics",
        puts(lambda a: monitor(a)["selector"], matchLabels={"app": "aftersales"}),
    ),
    (
        "everybody_is_asked_for_metrics",
        lambda a: monitor(a)["podMetricsEndpoints"][0]["relabelings"].pop(),
    ),
    (
        "everybody_is_asked_for_metrics",
        puts(lambda a: monitor(a, "kafka-exporter")["podMetricsEndpoints"][0], port="metrics"),
    ),
)


def test_every_rule_is_broken_by_something() -> None:
    assert {name for name, _ in BROKEN} == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize(
    ("name", "broken"), BROKEN, ids=[f"{n}-{name}" for n, (name, _) in enumerate(BROKEN)]
)
def test_what_breaks_a_rule_is_noticed_by_it(
    production: Rendered, name: str, broken: Break
) -> None:
    applied = Rendered(deepcopy(production.resources))
    broken(applied)
    [rule] = [each for each in RULES if each.__name__ == name]
    assert [*rule(applied)] != []


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("resources: [../../base]\ncomponents: [../../components/hpaa]", "hpaa"),
        (
            "resources: [../../base]\npatches: [{target: {kind: Job}, patch: " + NO_SUCH,
            "nonexistent key",
        ),
    ],
)
def test_a_mistake_in_a_kustomization_is_not_rendered(
    tmp_path: Path, mistake: str, said: str
) -> None:
    """It is tried beside the real ones: paths are relative."""
    head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    told = mistake.replace("../../", f"{_relative(tmp_path)}/")
    (tmp_path / "kustomization.yaml").write_text(head + told)
    with pytest.raises(NotRendered, match=said):
        rendered(tmp_path)


def _relative(folder: Path) -> str:
    up = "/".join([".."] * (len(folder.resolve().parts) - 1))
    return f"{up}{K8S}"


def test_files_of_people_have_all_the_room_that_they_may_take(production: Rendered) -> None:
    least = Rendered(deepcopy(production.resources))
    limits = container(least)["resources"]["limits"]
    assert limits == {"memory": "2560Mi"}
    limits["memory"], tmp(least)["emptyDir"]["sizeLimit"] = "2464Mi", "1Gi"
    assert [*files_of_people_find_room(least)] == []


def test_what_is_read_has_all_the_room_that_it_may_take(production: Rendered) -> None:
    least = Rendered(deepcopy(production.resources))
    migrations = job(least)["containers"][0]["resources"]["limits"]
    assert (worker_limits(least), migrations) == ({"memory": "2Gi"}, {"memory": "768Mi"})
    worker_limits(least)["memory"], migrations["memory"] = "1946Mi", "760Mi"
    assert [*what_is_read_finds_room(least)] == []


def test_what_production_applies_is_right(production: Rendered) -> None:
    assert wrong_with(production) == []
