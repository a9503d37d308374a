"""Alerts and dashboards in, what they ask for out; and what there is to be asked for.

A metric exists if `/metrics` of one of the processes names it, with its labels.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY
from shared_runtime.service import openapi_document

from deploy_checks.facts import SERVICES, workload_of
from deploy_checks.render import K8S, Rendered

DASHBOARDS = K8S / "components" / "monitoring" / "dashboards"
OF_THE_TARGET = frozenset({"service", "component", "pod", "le"})
"""Labels that the collector adds, and that of a histogram's buckets."""
OF_OTHERS: Mapping[str, frozenset[str]] = {
    "up": frozenset(),
    # Strimzi's exporter tells how far each consumer group is.
    "kafka_consumergroup_lag": frozenset({"consumergroup", "topic", "partition"}),
}
WORDS = frozenset({"by", "and", "or", "unless", "on", "without", "offset", "bool"})

STRING = re.compile(r'"[^"]*"')
GROUPED = re.compile(r"\b(?:by|without|on)\s*\(([^)]*)\)")
MATCHED = re.compile(r"([a-z_][\w:]*)\s*\{([^}]*)\}")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
NAME = re.compile(r"[a-zA-Z_:][\w:]*(?!\w*\s*\()")


def expressions(applied: Rendered) -> Iterator[tuple[str, str]]:
    """Of all rules: what asks, and what for."""
    for each in applied.of("PrometheusRule"):
        for group in each["spec"]["groups"]:
            for rule in group["rules"]:
                yield rule.get("alert") or rule["record"], rule["expr"]


def alerts(applied: Rendered) -> list[dict[str, Any]]:
    return [
        rule
        for each in applied.of("PrometheusRule")
        for group in each["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]


def dashboards() -> dict[Path, Any]:
    return {path: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def panels() -> Iterator[tuple[str, str]]:
    """Of all dashboards: what shows, and what it asks for, with the variables of the page set."""
    for dashboard in dashboards().values():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                yield panel["title"], target["expr"].replace("$service", ".*")


def asked_for(expression: str) -> dict[str, set[str]]:
    """The metrics that a PromQL expression names, each with the labels that it asks of it."""
    plain = STRING.sub('""', expression)
    grouped = {
        label.strip() for labels in GROUPED.findall(plain) for label in labels.split(",") if label
    }
    matched = {name: {*MATCHER.findall(labels)} for name, labels in MATCHED.findall(plain)}
    bare = GROUPED.sub(" ", re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", plain))
    names = {name for name in NAME.findall(bare) if name not in WORDS}
    return {name: grouped | matched.get(name, set()) for name in names}


def there_are() -> dict[str, frozenset[str]]:
    """The metrics of our processes, each with its labels."""
    for service in SERVICES.values():  # whatever declares one is imported
        openapi_document(service)
        workload_of(service)
    told: dict[str, frozenset[str]] = dict(OF_OTHERS)
    declared: Any = getattr(REGISTRY, "_collector_to_names")  # noqa: B009 - it has no public name
    for collector, names in declared.items():
        labels = frozenset(getattr(collector, "_labelnames", ()))
        # A counter and a histogram have no sample of their bare name.
        bare = getattr(collector, "_type", "") in {"counter", "histogram"}
        told |= dict.fromkeys({*names} - ({collector._name} if bare else set()), labels)  # noqa: SLF001 - the same
    return told


def unknown(expression: str, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """What an expression asks for and nobody tells."""
    for name, labels in asked_for(expression).items():
        if ":" in name:  # of a rule that records it
            continue
        if name not in known:
            yield f"there is no metric {name}"
        elif name not in OF_OTHERS and (more := labels - known[name] - OF_THE_TARGET):
            yield f"{name} has no label {', '.join(sorted(more))}"
