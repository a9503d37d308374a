"""The code in, the manifests that repeat it out.

    python -m deploy_checks.generated      writes them under deploy/k8s/components

They are committed, so that what is deployed can be read; a test makes them again and compares.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from local_stack.topics import TOPICS, configs_of
from shared_events.partition import PARTITIONS

from deploy_checks.facts import SERVICES, Flows, flows_of

COMPONENTS = Path(__file__).parents[3] / "k8s" / "components"
NOTE = "# Made from the code by `make docs`: not to be edited.\n"
CLUSTER = {"strimzi.io/cluster": "kafka"}
COPIES = 3
IN_STEP = 2
WORKERS_MIN, WORKERS_MAX = 2, 8
LAG = "1000"
"""What a worker is given to wait for before another one is asked for: a batch of a partition."""

type Resource = dict[str, Any]


def topics() -> Iterator[Resource]:
    for name in sorted(TOPICS):
        yield {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaTopic",
            "metadata": {"name": name, "labels": CLUSTER},
            "spec": {
                "partitions": PARTITIONS,
                "replicas": COPIES,
                "config": {**configs_of(name), "min.insync.replicas": IN_STEP},
            },
        }


def users() -> Iterator[Resource]:
    for name, service in SERVICES.items():
        flows = flows_of(name)
        yield _user(f"{name}-kafka", [*_topic_rules(flows), _group_rule(f"{service.name}.")])
    # Whoever announces orders, and whoever asks how much waits.
    feeds = sorted({topic for name in SERVICES for topic in flows_of(name).feeds})
    yield _user("marketplace-kafka", [_rule(topic, ["Describe", "Write"]) for topic in feeds])
    everywhere = {"type": "topic", "name": "*", "patternType": "literal"}
    groups = {"type": "group", "name": "*", "patternType": "literal"}
    yield _user(
        "keda-kafka",
        [
            {"resource": everywhere, "operations": ["Describe"]},
            {"resource": groups, "operations": ["Describe"]},
        ],
    )


def _topic_rules(flows: Flows) -> Iterator[Resource]:
    # The relay reads where its topics end; a recovery reads them whole. How long a feed is kept is
    # asked before what people wrote is taken from it.
    for topic in sorted({*flows.writes, *flows.reads}):
        writes = ["Write"] if topic in flows.writes else []
        asks = ["DescribeConfigs"] if topic in flows.feeds else []
        yield _rule(topic, ["Describe", *asks, "Read", *writes])


def _rule(topic: str, operations: Sequence[str]) -> Resource:
    return {
        "resource": {"type": "topic", "name": topic, "patternType": "literal"},
        "operations": [*operations],
    }


def _group_rule(prefix: str) -> Resource:
    resource = {"type": "group", "name": prefix, "patternType": "prefix"}
    return {"resource": resource, "operations": ["Describe", "Read"]}


def _user(name: str, acls: Sequence[Resource]) -> Resource:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {"name": name, "labels": CLUSTER},
        "spec": {
            "authentication": {"type": "tls"},
            "authorization": {"type": "simple", "acls": [*acls]},
        },
    }


def workers() -> Iterator[Resource]:
    for name in SERVICES:
        yield {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": f"{name}-worker"},
            "spec": {
                "scaleTargetRef": {"name": f"{name}-worker"},
                "minReplicaCount": WORKERS_MIN,
                "maxReplicaCount": WORKERS_MAX,
                "triggers": [
                    _trigger(group, topic)
                    for group, topics_of in flows_of(name).groups.items()
                    for topic in topics_of
                ],
            },
        }


def _trigger(group: str, topic: str) -> Resource:
    return {
        "type": "kafka",
        "metadata": {
            "bootstrapServers": "kafka-kafka-bootstrap:9093",
            "consumerGroup": group,
            "topic": topic,
            "lagThreshold": LAG,
            # A partition that is held is not worked on the sooner for another worker.
            "excludePersistentLag": "true",
            "limitToPartitionsWithLag": "true",
            "tls": "enable",
        },
        "authenticationRef": {"name": "kafka-lag"},
    }


def files() -> Mapping[Path, str]:
    made = {
        COMPONENTS / "strimzi" / "topics.yaml": topics(),
        COMPONENTS / "strimzi" / "users.yaml": users(),
        COMPONENTS / "keda" / "workers.yaml": workers(),
    }
    return {
        path: NOTE + yaml.safe_dump_all(resources, sort_keys=False)
        for path, resources in made.items()
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
