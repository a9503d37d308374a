"""What is applied in, out what one object says of another one that is not there, or not so.

Nothing of this is refused by an API server: a Service with another port, a Secret that nobody makes
and an address of no server are all well-formed.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from shared_runtime.settings import Settings

from deploy_checks.render import (
    Rendered,
    Resource,
    component_of,
    environment_of,
    name_of,
    selects,
    service_of,
)
from deploy_checks.secrets import GATEWAY, STORE, loaded, made_by_hand

POLICIES = ("SecurityPolicy", "BackendTrafficPolicy", "ClientTrafficPolicy")
TELLS_METRICS = {"api": "metrics", "worker": "http"}
EXPORTER_PORT = "tcp-prometheus"
"""Of Strimzi's Kafka exporter, by Strimzi."""
TRUST = "/etc/aftersales/trust"
WHO = "/etc/aftersales/kafka/"
LABELS = "__meta_kubernetes_pod_label_app_kubernetes_io_"


def settings_of(applied: Rendered, template: Resource) -> Settings | None:
    """Of a process; none if it would not start, which another rule tells."""
    try:
        return loaded(service_of(template), environment_of(applied, template))
    except ValidationError:
        return None


def ports_are_those_of_the_code(applied: Rendered) -> Iterator[str]:
    """A process listens where its settings say, and its Service is there for others."""
    for each in applied.of("Deployment"):
        template = each["spec"]["template"]
        if (settings := settings_of(applied, template)) is None:
            continue
        listens = (
            {"http": settings.port, "metrics": settings.metrics_port}
            if component_of(each) == "api"
            else {"http": settings.worker_port}
        )
        if (told := _ports(template)) != listens:
            yield f"{name_of(each)}: tells ports {told}, its code listens at {listens}"
        labels = template["metadata"]["labels"]
        for service in applied.of("Service"):
            selector = service["spec"].get("selector")
            if selector is None or not selects({"matchLabels": selector}, labels):
                continue
            led = {port["port"]: port["targetPort"] for port in service["spec"]["ports"]}
            if led != {settings.port: "http"}:
                yield f"{name_of(service)}: leads by {led}, where people speak is {settings.port}"


def _ports(template: Resource) -> dict[str, int]:
    return {
        port["name"]: port["containerPort"]
        for container in template["spec"]["containers"]
        for port in container.get("ports", ())
    }


def routes_lead_somewhere(applied: Rendered) -> Iterator[str]:
    """From a gateway of a class that there is, to a Service that has that port."""
    for each, kind, name in _pointed_at(applied):
        if applied.named(kind, name) is None:
            yield f"{name_of(each)}: there is no {kind}/{name}"
    listeners = {
        f"{each['metadata']['namespace']}/{each['metadata']['name']}/{listener['name']}"
        for each in applied.of("Gateway")
        for listener in each["spec"]["listeners"]
    }
    for each in applied.of("EnvoyPatchPolicy"):
        for patch in each["spec"]["jsonPatches"]:
            if patch["name"] not in listeners:  # Envoy Gateway passes over what is not there
                yield f"{name_of(each)}: there is no listener {patch['name']}"
    for route in applied.of("HTTPRoute"):
        for rule in route["spec"]["rules"]:
            for each in rule.get("backendRefs", ()):
                if each["port"] not in _doors(applied, each["name"]):
                    yield f"{name_of(route)}: there is no {each['name']}:{each['port']}"


def _pointed_at(applied: Rendered) -> Iterator[tuple[Resource, str, str]]:
    """What objects of the gateway say of each other: who, of what kind, by what name."""
    for gateway in applied.of("Gateway"):
        yield gateway, "GatewayClass", gateway["spec"]["gatewayClassName"]
    for route in applied.of("HTTPRoute"):
        for parent in route["spec"]["parentRefs"]:
            yield route, "Gateway", parent["name"]
        filters = [it for rule in route["spec"]["rules"] for it in rule.get("filters", ())]
        for other in (it["extensionRef"] for it in filters if "extensionRef" in it):
            yield route, other["kind"], other["name"]
    for policy in applied.of(*POLICIES):
        for target in policy["spec"]["targetRefs"]:
            yield policy, target["kind"], target["name"]
    for policy in applied.of("EnvoyPatchPolicy"):
        target = policy["spec"]["targetRef"]
        yield policy, target["kind"], target["name"]


def _doors(applied: Rendered, name: str) -> set[int]:
    """The ports of a Service. One without a selector has those that its addresses have too."""
    if (service := applied.named("Service", name)) is None:
        return set()
    ports = {port["port"] for port in service["spec"]["ports"]}
    if "selector" in service["spec"]:
        return ports
    return ports & {
        port["port"]
        for each in applied.of("EndpointSlice")
        if each["metadata"]["labels"].get("kubernetes.io/service-name") == name
        and each["endpoints"]
        for port in each["ports"]
    }


def one_token_passes_all(applied: Rendered) -> Iterator[str]:
    """The gateway believes whom the services believe: else everybody is answered 401 by either."""
    providers = [
        (policy, provider)
        for policy in applied.of("SecurityPolicy")
        for provider in policy["spec"].get("jwt", {}).get("providers", ())
    ]
    if applied.of("Gateway") and not providers:
        yield "the gateway asks nobody for a token"
    for each in applied.of("Deployment"):
        if (settings := settings_of(applied, each["spec"]["template"])) is None:
            continue
        believed = {
            "issuer": settings.issuer,
            "audiences": [settings.audience],
            "remoteJWKS": {"uri": settings.jwks_url},
        }
        for policy, provider in providers:
            for name, wanted in believed.items():
                if (told := provider.get(name)) != wanted:
                    yield f"{name_of(policy)}: {name} is {told}, to {name_of(each)} {wanted}"


def secrets_are_where_they_are_looked_for(applied: Rendered) -> Iterator[str]:
    """Each file of a secret is of the Secret that is made for it, and no process sees more."""
    authorities = {f"{each['metadata']['name']}-cluster-ca-cert" for each in applied.of("Kafka")}
    for each, template in applied.workloads():
        settings, service = settings_of(applied, template), service_of(template)
        if settings is None:
            continue
        folder = environment_of(applied, template).get("AFTERSALES_SECRETS_DIR", "/run/secrets")
        wanted = {
            (f"{folder}/", f"{service}-secrets"),
            (f"{TRUST}/database.crt", f"{service}-database-ca"),
            (f"{TRUST}/keys.crt", f"{service}-keys-ca"),
            *((f"{TRUST}/kafka.crt", it) for it in authorities or {f"{service}-kafka-ca"}),
        }
        if component_of(each) == "migrate":
            wanted.add((f"{folder}/", f"{service}-owner"))
        if component_of(each) != "api":
            wanted.add((WHO, f"{service}-kafka"))
        found = {*_files(template)}
        for path, name in sorted(wanted - found):
            yield f"{name_of(each)}: {path} is not of the Secret {name}"
        for path, name in sorted(found - wanted):
            yield f"{name_of(each)}: {path} is of the Secret {name}"


def _files(template: Resource) -> Iterator[tuple[str, str]]:
    """Each file that a process finds, with its Secret; a folder for all members of one."""
    volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    [container] = template["spec"]["containers"]
    for mount in container["volumeMounts"]:
        for secret in _secrets_of(volumes.get(mount["name"], {})):
            for item in secret.get("items", [{"path": ""}]):
                yield f"{mount['mountPath']}/{item['path']}", secret["name"]


def _secrets_of(volume: Resource) -> list[Resource]:
    if "secret" in volume:
        return [volume["secret"] | {"name": volume["secret"]["secretName"]}]
    sources = volume.get("projected", {}).get("sources", ())
    return [source["secret"] for source in sources if "secret" in source]


def every_secret_is_made_by_somebody(applied: Rendered) -> Iterator[str]:
    """By an operator, from the store, or by hand where there is no store. Some may be missing."""
    stored = applied.of("ExternalSecret")
    made = {GATEWAY, *_made_by_operators(applied)}
    made |= {each["spec"]["target"]["name"] for each in stored} if stored else made_by_hand()
    for each, name in _needed(applied):
        if name not in made:
            yield f"{name_of(each)}: nobody makes the Secret {name}"
    for each in stored:
        name, spec = each["spec"]["target"]["name"], each["spec"]
        if spec["dataFrom"] != [{"extract": {"key": name}}]:
            yield f"{name_of(each)}: {name} is of an item of another name"
        if spec["secretStoreRef"] != {"kind": "ClusterSecretStore", "name": STORE}:
            yield f"{name_of(each)}: is of another store"


def left_to_others(applied: Rendered) -> set[str]:
    """The Secrets that are looked for and made by nothing of what is applied."""
    stored = {each["spec"]["target"]["name"] for each in applied.of("ExternalSecret")}
    return {name for _, name in _needed(applied)} - stored - {*_made_by_operators(applied)}


def _made_by_operators(applied: Rendered) -> Iterator[str]:
    for kafka in applied.of("Kafka"):
        yield f"{kafka['metadata']['name']}-cluster-ca-cert"
    for user in applied.of("KafkaUser"):
        yield user["metadata"]["name"]
    for cluster in applied.of("Cluster"):
        yield f"{cluster['metadata']['name']}-ca"


def _needed(applied: Rendered) -> Iterator[tuple[Resource, str]]:
    """Who does not begin without which Secret."""
    for each, template in applied.workloads():
        secrets = [it for volume in template["spec"]["volumes"] for it in _secrets_of(volume)]
        yield from ((each, it["name"]) for it in secrets if not it.get("optional"))
    for each in applied.of("Cluster"):
        yield each, each["spec"]["bootstrap"]["initdb"]["secret"]["name"]
        roles = each["spec"]["managed"]["roles"]
        yield from ((each, role["passwordSecret"]["name"]) for role in roles)
    for each in applied.of("ObjectStore"):
        keys = each["spec"]["configuration"]["s3Credentials"].values()
        yield from ((each, key["name"]) for key in keys)
    for each in applied.of("TriggerAuthentication"):
        yield from ((each, key["name"]) for key in each["spec"]["secretTargetRef"])
    for each in applied.of("Gateway"):
        told = [it for one in each["spec"]["listeners"] for it in one["tls"]["certificateRefs"]]
        yield from ((each, certificate["name"]) for certificate in told)


def kafka_is_where_it_is_looked_for(applied: Rendered) -> Iterator[str]:
    """At a listener of Strimzi's that speaks as the process does, else at a Service."""
    listeners = _listeners(applied)
    for each, template in applied.workloads():
        if (settings := settings_of(applied, template)) is None:
            continue
        for address in settings.kafka.split(","):
            if listeners:
                told = _spoken_with(listeners.get(address), settings)
            else:
                host, _, port = address.rpartition(":")
                there = port.isdecimal() and int(port) in _doors(applied, host)
                told = None if there else "is not there"
            if told is not None:
                yield f"{name_of(each)}: {address} {told}"
    for each in applied.of("ScaledObject"):
        for trigger in each["spec"]["triggers"]:
            told, shown = trigger["metadata"], trigger["authenticationRef"]["name"]
            listener = listeners.get(told["bootstrapServers"])
            if listener is None or (told.get("tls") == "enable") != listener["tls"]:
                yield f"{name_of(each)}: asks Kafka where or how it does not answer"
            if applied.named("TriggerAuthentication", shown) is None:
                yield f"{name_of(each)}: has nothing to show to Kafka"


def _spoken_with(listener: Resource | None, settings: Settings) -> str | None:
    """What is wrong with speaking to a listener of Strimzi's by these settings."""
    if listener is None:
        return "is not there"
    if (security := _security(listener)) != settings.brokers.security:
        return f"is spoken with by {settings.brokers.security}, and speaks {security}"
    if security == "SSL" and settings.kafka_certificate is None:
        return "is not shown who it is"
    return None


def kafka_is_one(applied: Rendered) -> Iterator[str]:
    """Strimzi makes what is of a Kafka that it knows, and passes over all else."""
    names = {kafka["metadata"]["name"] for kafka in applied.of("Kafka")}
    for each in applied.of("KafkaTopic", "KafkaUser", "KafkaNodePool"):
        if each["metadata"]["labels"].get("strimzi.io/cluster") not in names:
            yield f"{name_of(each)}: is of another Kafka"


def _listeners(applied: Rendered) -> Mapping[str, Resource]:
    return {
        f"{kafka['metadata']['name']}-kafka-bootstrap:{listener['port']}": listener
        for kafka in applied.of("Kafka")
        for listener in kafka["spec"]["kafka"]["listeners"]
    }


def _security(listener: Resource) -> str:
    """How one speaks with a listener, in the words of the settings."""
    known = listener.get("authentication", {}).get("type")
    if not listener["tls"]:
        return "PLAINTEXT" if known is None else "SASL_PLAINTEXT"
    return "SSL" if known in {None, "tls"} else "SASL_SSL"


def every_database_is_there(applied: Rendered) -> Iterator[str]:
    """Where some are CloudNativePG's, all are; and what is archived has a backup to begin with."""
    clusters = applied.of("Cluster")
    if not clusters:
        return
    names = {each["metadata"]["name"] for each in clusters}
    services = {service_of(template) for _, template in applied.workloads()}
    wanted = {f"{service}-{kind}" for service in services for kind in ("database", "keys")}
    if names != wanted:
        yield f"databases are called {sorted(names ^ wanted)}"
    backed_up = {each["spec"]["cluster"]["name"] for each in applied.of("ScheduledBackup")}
    archived = {each["metadata"]["name"] for each in clusters if each["spec"].get("plugins")}
    for name in sorted(backed_up ^ archived):
        yield f"{name}: is archived without backups, or backed up without being archived"


def copies_have_somewhere_to_be(applied: Rendered) -> Iterator[str]:
    """As many brokers as copies, and one more copy than has to be in step; standbys to wait for."""
    brokers = sum(
        pool["spec"]["replicas"]
        for pool in applied.of("KafkaNodePool")
        if "broker" in pool["spec"]["roles"]
    )
    for kafka in applied.of("Kafka"):
        config = kafka["spec"]["kafka"]["config"]
        for copies, in_step in (
            ("default.replication.factor", "min.insync.replicas"),
            ("transaction.state.log.replication.factor", "transaction.state.log.min.isr"),
            ("offsets.topic.replication.factor", "min.insync.replicas"),
        ):
            yield from _copies(kafka, config[copies], config[in_step], brokers)
    for topic in applied.of("KafkaTopic"):
        spec = topic["spec"]
        yield from _copies(topic, spec["replicas"], spec["config"]["min.insync.replicas"], brokers)
    for cluster in applied.of("Cluster"):
        waits_for = cluster["spec"]["postgresql"].get("synchronous", {}).get("number", 0)
        if cluster["spec"]["instances"] <= (waits_for and waits_for + 1):
            yield f"{name_of(cluster)}: without one of its standbys it takes nothing more"


def _copies(each: Resource, copies: int, in_step: int, brokers: int) -> Iterator[str]:
    if copies > brokers:
        yield f"{name_of(each)}: {copies} copies on {brokers} brokers"
    if in_step >= copies > 1:
        yield f"{name_of(each)}: without one of its {copies} copies it takes nothing more"


def everybody_is_asked_for_metrics(applied: Rendered) -> Iterator[str]:
    """Once each, at the port where they are told, under the labels that alerts ask for."""
    monitors = applied.of("PodMonitor")
    if not monitors:
        return
    for each in applied.of("Deployment"):
        template = each["spec"]["template"]
        asked = [*_endpoints(monitors, template["metadata"]["labels"])]
        where = [(it["port"], it.get("path", "/metrics")) for it in asked]
        if where != [(TELLS_METRICS[component_of(each)], "/metrics")]:
            yield f"{name_of(each)}: is asked for metrics at {where}"
        for endpoint in asked:
            told = {it["targetLabel"]: it["sourceLabels"] for it in endpoint.get("relabelings", ())}
            if told != {"service": [f"{LABELS}name"], "component": [f"{LABELS}component"]}:
                yield f"{name_of(each)}: its metrics are told under {sorted(told)} alone"
    for kafka in applied.of("Kafka"):
        if "kafkaExporter" in kafka["spec"]:
            labels = {"strimzi.io/name": f"{kafka['metadata']['name']}-kafka-exporter"}
            if [it["port"] for it in _endpoints(monitors, labels)] != [EXPORTER_PORT]:
                yield f"{name_of(kafka)}: nobody asks how far consumers are"


def _endpoints(monitors: list[Resource], labels: dict[str, Any]) -> Iterator[Resource]:
    for each in monitors:
        if selects(each["spec"]["selector"], labels):
            yield from each["spec"]["podMetricsEndpoints"]
