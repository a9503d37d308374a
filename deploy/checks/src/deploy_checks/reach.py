"""Network policies in, who can speak with whom out: as Kubernetes means them, without a cluster.

A pod that no policy selects for a direction may speak in it with everybody; one that some select,
with whom one of those allows. A connection needs both its ends' consent. Each API of its own kind
(a cluster's DNS, its API server) is a party like others here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from deploy_checks.render import Rendered, Resource, containers_of, selects

NAMESPACE = "aftersales"
NAME_LABEL = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Pods that are alike; or, with an `address` and no namespace, whatever is outside."""

    name: str
    namespace: str = ""
    namespace_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    ports: Mapping[str, int] = field(default_factory=dict[str, int])
    address: str = "10.1.0.1"

    @property
    def in_cluster(self) -> bool:
        return bool(self.namespace)


def outside(name: str, address: str) -> Party:
    return Party(name=name, address=address)


def inside(name: str, namespace: str, *, role: str = "", labels: Mapping[str, str] = {}) -> Party:
    """Pods of others. `role`: how their namespace is labelled."""
    told = {NAME_LABEL: namespace} | ({"aftersales.dev/role": role} if role else {})
    return Party(name=name, namespace=namespace, namespace_labels=told, labels=labels)


def ours(applied: Rendered) -> Iterator[Party]:
    """The pods of what is applied, by the names of their workloads."""
    for each, template in applied.workloads():
        yield Party(
            name=each["metadata"]["name"],
            namespace=NAMESPACE,
            namespace_labels={NAME_LABEL: NAMESPACE},
            labels=template["metadata"]["labels"],
            ports={
                port["name"]: port["containerPort"]
                for container in containers_of(template)
                for port in container.get("ports", ())
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where somebody is spoken with."""

    party: Party
    port: int
    protocol: str = "TCP"


def written_by_strimzi(applied: Rendered) -> Iterator[Resource]:
    """The policies that Strimzi makes of its listeners: who may come to the brokers."""
    for kafka in applied.of("Kafka"):
        yield {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"{kafka['metadata']['name']}-network-policy-kafka"},
            "spec": {
                "podSelector": {"matchLabels": {"strimzi.io/cluster": kafka["metadata"]["name"]}},
                "policyTypes": ["Ingress"],
                "ingress": [
                    {"from": it["networkPolicyPeers"], "ports": [{"port": it["port"]}]}
                    for it in kafka["spec"]["kafka"]["listeners"]
                ],
            },
        }


def may_speak(applied: Rendered, source: Party, door: Door) -> bool:
    """Whether a connection from there to that door is let through at both ends."""
    policies = applied.of("NetworkPolicy")
    return _lets(policies, "Egress", source, door.party, door) and _lets(
        policies, "Ingress", door.party, source, door
    )


def _lets(
    policies: Sequence[Resource], direction: str, whose: Party, other: Party, door: Door
) -> bool:
    if whose.namespace != NAMESPACE:  # others' policies are not ours to know
        return True
    bound = [
        policy["spec"]
        for policy in policies
        if direction in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], dict(whose.labels))
    ]
    if not bound:
        return True
    side, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    return any(
        _peers(rule.get(peers), other) and _ports(rule.get("ports"), door)
        for spec in bound
        for rule in spec.get(side) or ()
    )


def _peers(peers: Sequence[Resource] | None, other: Party) -> bool:
    return not peers or any(_peer(each, other) for each in peers)


def _peer(peer: Resource, other: Party) -> bool:
    if (block := peer.get("ipBlock")) is not None:
        address = ip_address(other.address)
        return address in ip_network(block["cidr"]) and not any(
            address in ip_network(each) for each in block.get("except", ())
        )
    if not other.in_cluster:
        return False
    namespaces: dict[str, Any] | None = peer.get("namespaceSelector")
    if namespaces is None:
        if other.namespace != NAMESPACE:
            return False
    elif not selects(namespaces, dict(other.namespace_labels)):
        return False
    return selects(peer.get("podSelector", {}), dict(other.labels))


def _ports(ports: Sequence[Resource] | None, door: Door) -> bool:
    return not ports or any(
        each.get("protocol", "TCP") == door.protocol
        and ("port" not in each or door.party.ports.get(each["port"], each["port"]) == door.port)
        for each in ports
    )
