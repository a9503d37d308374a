"""Who may speak with whom is a table; whatever a policy is changed to is compared with it."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest
import yaml
from deploy_checks.facts import SERVICES
from deploy_checks.reach import Door, Party, inside, may_speak, ours, outside, written_by_strimzi
from deploy_checks.render import K8S, Rendered, Resource, rendered
from shared_runtime.reach import TUNNELS_V6, WORLD_V6, Reach

GATEWAY = inside("gateway", "envoy-gateway-system", role="gateway")
COLLECTOR = inside("collector", "monitoring", role="monitoring")
KEDA = inside("keda", "keda", role="scaling")
TRACING = inside("tracing", "observability", role="tracing")
STRANGER = inside("stranger", "default")
IMPOSTOR = inside("impostor", "default", labels={"app.kubernetes.io/part-of": "aftersales"})
CNPG = inside("cnpg", "cnpg-system")
DNS = inside("dns", "kube-system", labels={"k8s-app": "kube-dns"})
OTHER_OF_KUBE_SYSTEM = inside("metrics-server", "kube-system")
API_SERVER = outside("API server", "10.96.0.1")
CLOUD = outside("the cloud's own address", "169.254.169.254")
WORLD = outside("world", "203.0.113.7")
WORLD_BY_V6 = outside("world by IPv6", "2001:db8::7")
INSIDE_BY_V6 = (
    outside("an address of the site", "fd00:ec2::254"),
    outside("another of the site", "fc00::1"),
    outside("a neighbour", "fe80::a9fe:a9fe"),
    outside("the machine itself", "::1"),
    outside("nowhere", "::"),
    outside("the cloud's own in the guise of IPv6", "::ffff:169.254.169.254"),
    outside("the site in the guise of IPv6", "::ffff:10.0.0.1"),
    outside("the site through a translator", "64:ff9b::a00:1"),
    outside("the site through a tunnel", "2002:a00:1::1"),
    outside("the site through another tunnel", "2001:0:a00:1::1"),
    outside("many at once", "ff02::1"),
)
SERVERS = outside("servers", "192.0.2.10")
BROKER = inside(
    "broker", "aftersales", labels={"strimzi.io/cluster": "kafka", "strimzi.io/broker-role": "true"}
)
EXPORTER = inside("exporter", "aftersales", labels={"strimzi.io/name": "kafka-kafka-exporter"})
DATABASE = inside(
    "database",
    "aftersales",
    labels={"cnpg.io/podRole": "instance", "cnpg.io/cluster": "review-database"},
)

APIS = [f"{service}-api" for service in SERVICES]
WORKERS = [f"{service}-worker" for service in SERVICES]
MIGRATIONS = [f"{service}-migrate" for service in SERVICES]
OURS = {*APIS, *WORKERS, *MIGRATIONS}
PROCESSES = {*APIS, *WORKERS}
READING_KAFKA = {*WORKERS, *MIGRATIONS}
HTTP, WORKER_HTTP, METRICS = 8000, 8001, 8002

ALWAYS: dict[str, set[str]] = {
    **{f"{api}:{HTTP}": {"gateway"} for api in APIS},
    **{f"{api}:{METRICS}": {"collector"} for api in APIS},
    **{f"{worker}:{WORKER_HTTP}": {"collector"} for worker in WORKERS},
    "dns:53": OURS,
    "gateway:10443": {*WORKERS},
    "world:443": PROCESSES,
    "world by IPv6:443": PROCESSES,
}
"""Who may come to each door. To all others nobody may."""
BY_STRIMZI_AND_CNPG = {
    "broker:9093": {*READING_KAFKA, "keda"},
    "exporter:9404": {"collector"},
    "database:5432": {*OURS, "database"},
    "database:8000": {"cnpg"},
    "database:9187": {"collector"},
}
OUTSIDE = {"servers:5432": OURS, "servers:9092": READING_KAFKA}
SPEAKING = (GATEWAY, COLLECTOR, KEDA, STRANGER, IMPOSTOR, CNPG, BROKER, DATABASE)
SPOKEN_WITH = (
    *(Door(party=party, port=port) for party in (DNS, OTHER_OF_KUBE_SYSTEM) for port in (53, 443)),
    *(Door(party=API_SERVER, port=port) for port in (443, 6443)),
    *(Door(party=CLOUD, port=port) for port in (80, 443)),
    *(Door(party=party, port=p) for party in (WORLD, WORLD_BY_V6) for p in (22, 80, 443, 5432)),
    *(Door(party=party, port=443) for party in INSIDE_BY_V6),
    *(Door(party=SERVERS, port=port) for port in (22, 5432, 9092)),
    *(Door(party=BROKER, port=port) for port in (9090, 9093)),
    Door(party=EXPORTER, port=9404),
    *(Door(party=DATABASE, port=port) for port in (5432, 8000, 9187)),
    *(Door(party=STRANGER, port=port) for port in (443, 8000, 10443)),
    *(Door(party=GATEWAY, port=port) for port in (443, 8000, 10443)),
)


def connections(applied: Rendered) -> Iterator[tuple[Party, Door]]:
    """Of ours to everybody, and of everybody to ours and to the servers beside them. Where the
    servers go is their operators' to say.
    """
    pods = [*ours(applied)]
    mine = [
        Door(party=pod, port=port) for pod in pods for port in (HTTP, WORKER_HTTP, METRICS, 5432)
    ]
    servers = [door for door in SPOKEN_WITH if door.party.namespace == "aftersales"]
    for source in pods:
        for door in (*SPOKEN_WITH, *mine):
            if source.name != door.party.name:
                yield source, door
    for source in SPEAKING:
        for door in (*mine, *servers):
            if source.name != door.party.name or source is DATABASE:
                yield source, door


def name_of(door: Door) -> str:
    return f"{door.party.name}:{door.port}"


def applied_as(overlay: str) -> Rendered:
    own = Rendered(rendered(K8S / "overlays" / overlay))
    return Rendered([*own.resources, *written_by_strimzi(own)])


@pytest.mark.parametrize(
    ("overlay", "servers"),
    [
        ("prod", BY_STRIMZI_AND_CNPG),
        ("prod-full", BY_STRIMZI_AND_CNPG),
        ("demo", BY_STRIMZI_AND_CNPG),
        ("local", OUTSIDE),
    ],
)
def test_whoever_may_speak_with_whom_is_in_the_table(
    overlay: str, servers: dict[str, set[str]]
) -> None:
    applied = applied_as(overlay)
    table = ALWAYS | servers
    tried = [*connections(applied)]
    if overlay == "local":  # no server is in the cluster
        inside_it = {"broker", "database", "exporter"}
        tried = [each for each in tried if not inside_it & {each[0].name, each[1].party.name}]
    assert len(tried) > 500
    wrong = [
        f"{source.name} → {name_of(door)}"
        for source, door in tried
        if may_speak(applied, source, door) != (source.name in table.get(name_of(door), set()))
    ]
    assert wrong == []


def test_spans_go_to_the_collector_of_traces_where_they_are_asked_for_and_nowhere_else() -> None:
    without = applied_as("prod")
    network = yaml.safe_load((K8S / "components" / "traces" / "network.yaml").read_text())
    traced = Rendered([*without.resources, network])
    for port, allowed in ((4318, PROCESSES), (4317, set[str]())):
        door = Door(party=TRACING, port=port)
        assert {each.name for each in ours(traced) if may_speak(traced, each, door)} == allowed
        assert not any(may_speak(without, each, door) for each in ours(without))
    elsewhere = Door(party=STRANGER, port=4318)
    assert not any(may_speak(traced, each, elsewhere) for each in ours(traced))


def policy(applied: Rendered, name: str) -> Resource:
    found = applied.named("NetworkPolicy", name)
    assert found is not None
    spec: Resource = found["spec"]
    return spec


def test_a_webhook_is_let_out_to_no_address_of_ipv6_that_a_worker_would_not_send_to() -> None:
    to_world = Reach()
    assert not any(to_world.may_go_to(ip_address(each.address)) for each in INSIDE_BY_V6)
    assert to_world.may_go_to(ip_address("2a00::7"))
    [blocks] = policy(applied_as("prod"), "outside")["egress"]
    [of_world] = (each["ipBlock"] for each in blocks["to"] if ":" in each["ipBlock"]["cidr"])
    assert ip_network(of_world["cidr"]) == WORLD_V6
    assert {ip_network(each) for each in of_world["except"]} == {*TUNNELS_V6}


@pytest.mark.parametrize("broken", ["deny", "peer", "port", "namespace", "address", "IPv6"])
def test_a_policy_that_lets_too_much_through_is_noticed(broken: str) -> None:
    applied = applied_as("prod")
    api, worker = (
        next(each for each in ours(applied) if each.name == f"review-{kind}")
        for kind in ("api", "worker")
    )
    spoken: tuple[Party, Door]
    match broken:
        case "deny":
            spoken = (STRANGER, Door(party=worker, port=WORKER_HTTP))
            policy(applied, "review-worker")["ingress"] = [{}]
        case "peer":
            spoken = (STRANGER, Door(party=api, port=HTTP))
            policy(applied, "review-api")["ingress"] = [{"ports": [{"port": "http"}]}]
        case "port":
            spoken = (GATEWAY, Door(party=api, port=METRICS))
            role = {"matchLabels": {"aftersales.dev/role": "gateway"}}
            policy(applied, "review-api")["ingress"] = [{"from": [{"namespaceSelector": role}]}]
        case "namespace":
            spoken = (IMPOSTOR, Door(party=DATABASE, port=5432))
            part = {"matchLabels": {"app.kubernetes.io/part-of": "aftersales"}}
            both = {"namespaceSelector": {}, "podSelector": part}
            policy(applied, "databases")["ingress"] = [{"from": [both]}]
        case "IPv6":
            spoken = (worker, Door(party=INSIDE_BY_V6[0], port=443))
            block = {"ipBlock": {"cidr": "::/0"}}
            policy(applied, "outside")["egress"] = [{"to": [block], "ports": [{"port": 443}]}]
        case _:
            spoken = (api, Door(party=CLOUD, port=443))
            block = {"ipBlock": {"cidr": "0.0.0.0/0"}}
            policy(applied, "outside")["egress"] = [{"to": [block], "ports": [{"port": 443}]}]
    assert may_speak(applied, *spoken)
    assert not may_speak(applied_as("prod"), *spoken)
