"""What is applied in, all that is wrong with it out: in words, each naming its object.

What we want of every pod stands here, and why; what joins objects, in `joined`; figures, in
`figures`. Numbers that are the code's are read from it.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from local_stack.topics import FEEDS, WRITERS
from pydantic import ValidationError
from review_service.api.bulk import BATCH_BYTES_MAX, UPLOADS_BYTES_MAX
from review_service.bulk.intake import DECIDING_MAX
from shared_events.partition import PARTITIONS
from shared_runtime.budget import DECODED, REBUILDING_BYTES_MAX, api_bytes_max, memory_bytes_max
from shared_runtime.database import PROBE_CONNECTIONS, STATEMENT_SECONDS_MAX
from shared_runtime.http import READY_SECONDS_MAX, SHUTDOWN_SECONDS_MAX
from shared_runtime.keeping import DAY_MS, kept_at_most
from shared_runtime.media_api import DISK_BYTES_MAX
from shared_runtime.relay import CLOSE_SECONDS_MAX

from deploy_checks import figures, joined
from deploy_checks.facts import SERVICES, flows_of, workload_of
from deploy_checks.render import (
    SERVICE,
    Rendered,
    Resource,
    component_of,
    containers_of,
    environment_of,
    name_of,
    selects,
    service_of,
)
from deploy_checks.secrets import loaded

NOBODY = 65532
PAUSE_SECONDS_MIN = 5
PEOPLE = 20
"""Connections for whoever looks into a database by hand, and for its operator."""
MIGRATING = 12
"""Connections of a migration: one to migrate by, one for its lock, a pool to rebuild with."""
KEYS_BACKUP_DAYS_MAX = 14
WORLD = ("/", "/run/secrets", "/var/run/secrets")
NOT_FOR_SECRETS = ("/run/secrets", "/var/run/secrets")
ROUTE = "aftersales.dev/route"
TMP = "tmp"
IN_BULK = {"review": UPLOADS_BYTES_MAX + DECODED * DECIDING_MAX * BATCH_BYTES_MAX}
"""What comes in line by line, and the batches of it that are decoded."""
BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}

type Rule = Callable[[Rendered], Iterator[str]]


def pods_have_no_rights(applied: Rendered) -> Iterator[str]:
    """Pod Security `restricted`, a read-only root, a user of no other use."""
    for each, template in applied.workloads():
        name, pod = name_of(each), template["spec"]["securityContext"]
        if not (pod.get("runAsNonRoot") and pod.get("runAsUser") == pod.get("fsGroup") == NOBODY):
            yield f"{name}: runs as somebody"
        if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name}: may make any system call"
        for container in containers_of(template):
            told = container.get("securityContext", {})
            if told.get("allowPrivilegeEscalation", True) or told.get("privileged"):
                yield f"{name}: {container['name']} may gain rights"
            if told.get("capabilities", {}).get("drop") != ["ALL"] or "add" in told["capabilities"]:
                yield f"{name}: {container['name']} keeps capabilities"
            if not told.get("readOnlyRootFilesystem"):
                yield f"{name}: {container['name']} may write to its image"
        if any(template["spec"].get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{name}: is in the node's namespaces"


def pods_know_nothing_of_the_cluster(applied: Rendered) -> Iterator[str]:
    """No token of a service account; none of the variables that Services set."""
    for each, template in applied.workloads():
        spec = template["spec"]
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name_of(each)}: has a token of the cluster"
        if spec.get("enableServiceLinks") is not False:
            yield f"{name_of(each)}: a Service called aftersales would set its AFTERSALES_PORT"
        account = applied.named("ServiceAccount", spec.get("serviceAccountName", "default"))
        if account is None or account.get("automountServiceAccountToken") is not False:
            yield f"{name_of(each)}: has no service account of its own"


def volumes_are_bounded(applied: Rendered) -> Iterator[str]:
    """What may be written to is /tmp, of a bounded size, and the files of people."""
    for each, template in applied.workloads():
        volumes = {volume["name"]: volume for volume in template["spec"].get("volumes", ())}
        for volume in volumes.values():
            if "hostPath" in volume:
                yield f"{name_of(each)}: {volume['name']} is of the node"
            if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
                yield f"{name_of(each)}: {volume['name']} may fill the node's disk"
        for container in containers_of(template):
            for mount in container.get("volumeMounts", ()):
                kind = volumes.get(mount["name"], {})
                if not kind:
                    yield f"{name_of(each)}: there is no volume {mount['name']}"
                elif not mount.get("readOnly") and not {"emptyDir", "persistentVolumeClaim"} & {
                    *kind
                }:
                    yield f"{name_of(each)}: {mount['mountPath']} may be written to"


def processes_are_looked_after(applied: Rendered) -> Iterator[str]:
    """Three probes, of what is theirs to ask, that wait for as long as that may take."""
    for each in applied.of("Deployment"):
        [container] = each["spec"]["template"]["spec"]["containers"]
        probes = {
            kind: container.get(f"{kind}Probe") for kind in ("startup", "liveness", "readiness")
        }
        if missing := [kind for kind, probe in probes.items() if probe is None]:
            yield f"{name_of(each)}: has no {' and no '.join(missing)} probe"
            continue
        paths = {kind: probe["httpGet"]["path"] for kind, probe in probes.items()}
        if paths != {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}:
            yield f"{name_of(each)}: is asked for {paths}: liveness never asks for the database"
        if probes["readiness"].get("timeoutSeconds", 1) <= READY_SECONDS_MAX:
            yield f"{name_of(each)}: /readyz may take {READY_SECONDS_MAX} s, its probe waits less"
        ports = {port["name"] for port in container.get("ports", ())}
        if any(probe["httpGet"]["port"] not in ports for probe in probes.values()):
            yield f"{name_of(each)}: is asked at a port that it has not"


def resources_are_asked_for(applied: Rendered) -> Iterator[str]:
    """What a node has to have; memory bounded, processor time not."""
    for each, template in applied.workloads():
        for container in containers_of(template):
            told = container.get("resources", {})
            if {"cpu", "memory"} - {*told.get("requests", {})}:
                yield f"{name_of(each)}: {container['name']} does not say what it needs"
            if "memory" not in told.get("limits", {}):
                yield f"{name_of(each)}: {container['name']} may take all memory of a node"
            if "cpu" in told.get("limits", {}):
                yield f"{name_of(each)}: {container['name']} is slowed down on a node that is idle"


def files_of_people_find_room(applied: Rendered) -> Iterator[str]:
    """An API is given the memory and the disk that its code takes at most."""
    for each in applied.of("Deployment"):
        if component_of(each) != "api":
            continue
        template = each["spec"]["template"]
        spec = template["spec"]
        [container] = spec["containers"]
        memory = container.get("resources", {}).get("limits", {}).get("memory")
        settings = joined.settings_of(applied, template)
        taken = api_bytes_max(settings.client_connections) if settings else api_bytes_max()
        taken += IN_BULK.get(service_of(template), 0)
        if memory is not None and bytes_of(memory) < taken:
            yield f"{name_of(each)}: has {memory} of memory, {taken} bytes may be taken"
        [tmp] = [volume["emptyDir"] for volume in spec["volumes"] if volume["name"] == TMP]
        disk = tmp.get("sizeLimit")
        if disk is not None and bytes_of(disk) < DISK_BYTES_MAX:
            yield f"{name_of(each)}: has {disk} of disk, {DISK_BYTES_MAX} bytes may be taken"


def what_is_read_finds_room(applied: Rendered) -> Iterator[str]:
    """A worker is given the memory that its readers and its scanner take at most; a migration, that
    of projections that are built again.
    """
    for each, template in applied.workloads():
        if each["kind"] == "Job":
            taken = REBUILDING_BYTES_MAX
        elif component_of(each) == "worker":
            taken = memory_bytes_max(workload_of(SERVICES[service_of(template)]))
        else:
            continue
        [container] = template["spec"]["containers"]
        memory = container.get("resources", {}).get("limits", {}).get("memory")
        if memory is not None and bytes_of(memory) < taken:
            yield f"{name_of(each)}: has {memory} of memory, {taken} bytes may be taken"


def bytes_of(told: str) -> int:
    """Of a quantity of Kubernetes, as ours are written: 2Gi."""
    return int(told[:-2]) * BINARY[told[-2:]]


def each_deployment_is_kept_available(applied: Rendered) -> Iterator[str]:
    """One budget for each, that evicts what is broken anyhow; spread; replaced one by one."""
    budgets = applied.of("PodDisruptionBudget")
    for each in applied.of("Deployment"):
        labels = each["spec"]["template"]["metadata"]["labels"]
        over = [it["spec"] for it in budgets if selects(it["spec"]["selector"], labels)]
        if len(over) != 1:
            yield f"{name_of(each)}: is under {len(over)} disruption budgets"
        elif over[0] | {"selector": None} != {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": None,
        }:
            yield f"{name_of(each)}: its budget may hold up the maintenance of a node"
        spread = each["spec"]["template"]["spec"].get("topologySpreadConstraints", ())
        kinds = {it["topologyKey"] for it in spread if selects(it["labelSelector"], labels)}
        if kinds != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
            yield f"{name_of(each)}: may be on one node or in one zone with all of its kind"
        if each["spec"]["strategy"].get("rollingUpdate") != {"maxSurge": 1, "maxUnavailable": 0}:
            yield f"{name_of(each)}: has fewer processes while it is replaced"
    for budget in budgets:
        if not _selected(applied, budget["spec"]["selector"]):
            yield f"{name_of(budget)}: is of no pods"


def _selected(applied: Rendered, selector: Resource) -> list[Resource]:
    return [
        each
        for each, template in applied.workloads()
        if selects(selector, template["metadata"]["labels"])
    ]


def processes_end_in_time(applied: Rendered) -> Iterator[str]:
    """What they need, by the constants of the code, is less than what they are given."""
    for each in applied.of("Deployment"):
        spec = each["spec"]["template"]["spec"]
        [container] = spec["containers"]
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        needed = pause + SHUTDOWN_SECONDS_MAX
        if component_of(each) == "api":
            if pause < PAUSE_SECONDS_MIN:
                yield f"{name_of(each)}: closes its door while others still send people to it"
        elif pause:
            yield f"{name_of(each)}: waits for nobody before it ends"
        else:
            needed += STATEMENT_SECONDS_MAX + CLOSE_SECONDS_MAX
        if spec.get("terminationGracePeriodSeconds", 30) <= needed:
            yield f"{name_of(each)}: needs {needed} s to end and is killed before"


def code_waits_for_its_migration(applied: Rendered) -> Iterator[str]:
    """For a shorter time than a rollout may take; and the migration goes first on a full node."""
    for each in applied.of("Deployment"):
        first = each["spec"]["template"]["spec"].get("initContainers", [{}])[0].get("args", [])
        if first[:2] != ["migrated", "--wait"]:
            yield f"{name_of(each)}: does not wait for its migration"
        elif float(first[2]) >= each["spec"]["progressDeadlineSeconds"]:
            yield f"{name_of(each)}: is given up while it waits for its migration"
    for each in applied.of("Job"):
        name = each["spec"]["template"]["spec"].get("priorityClassName")
        if name is None or applied.named("PriorityClass", name) is None:
            yield f"{name_of(each)}: may wait for room behind the processes that wait for it"


def settings_are_whole(applied: Rendered) -> Iterator[str]:
    """Each process starts with what it is given: by its own settings, as production reads them."""
    for each, template in applied.workloads():
        service = service_of(template)
        folder = environment_of(applied, template).get("AFTERSALES_SECRETS_DIR", "/run/secrets")
        mounts = {
            mount["mountPath"]
            for container in containers_of(template)
            for mount in container["volumeMounts"]
        }
        if any(PurePosixPath(folder).is_relative_to(place) for place in NOT_FOR_SECRETS):
            yield f"{name_of(each)}: its secrets are where the cluster's tokens would be"
        if folder not in mounts:
            yield f"{name_of(each)}: its secrets are not at {folder}"
        try:
            settings = loaded(service, environment_of(applied, template))
        except ValidationError as wrong:
            yield f"{name_of(each)}: would not start: {wrong.errors()[0]['msg']}"
            continue
        yield from _files_are_shared(each, template, settings)
        yield from _trusted_files_are_there(each, template, settings)


def _files_are_shared(each: Resource, template: Resource, settings: Any) -> Iterator[str]:  # noqa: ANN401
    """Files in a folder: one that all processes of a service see: a claim, no empty folder."""
    url = str(getattr(settings, "media_url", "s3://"))
    if each["kind"] == "Job" or not url.startswith("file://"):
        return
    folder = PurePosixPath(url.removeprefix("file://"))
    claims = {
        volume["name"]
        for volume in template["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    [container] = template["spec"]["containers"]
    kept = [
        mount
        for mount in container["volumeMounts"]
        if mount["name"] in claims and folder.is_relative_to(mount["mountPath"])
    ]
    if not kept:
        yield f"{name_of(each)}: a file that one process keeps at {folder} is not there for others"


def _trusted_files_are_there(
    each: Resource,
    template: Resource,
    settings: Any,  # noqa: ANN401
) -> Iterator[str]:
    """Of whoever speaks with Kafka: the certificates that it is told to read."""
    if component_of(each) == "api":
        return
    [container] = template["spec"]["containers"]
    mounts = [PurePosixPath(mount["mountPath"]) for mount in container["volumeMounts"]]
    for path in (settings.kafka_ca, settings.kafka_certificate, settings.kafka_key):
        if path is not None and not any(PurePosixPath(path).is_relative_to(it) for it in mounts):
            yield f"{name_of(each)}: {path} is not there"


def what_a_topic_has_lost_is_found(applied: Rendered) -> Iterator[str]:
    """Each worker knows where every topic that it reads was recorded, at the gateway that there is;
    and what it shows there is among its secrets, where it may be renewed.
    """
    hosts = {
        each["metadata"]["labels"][SERVICE].removesuffix("-service"): each["spec"]["hostnames"]
        for each in applied.of("HTTPRoute")
        if each["metadata"].get("labels", {}).get(ROUTE) == "ordinary"
    }
    for each in applied.of("Deployment"):
        if component_of(each) != "worker":
            continue
        template = each["spec"]["template"]
        service = service_of(template)
        environment = environment_of(applied, template)
        told = json.loads(environment.get("AFTERSALES_SOURCES", "{}"))
        for topic in {*flows_of(service).reads} - {*FEEDS}:
            url, writer = str(told.get(topic)), WRITERS[topic]
            if not url.startswith("https://"):
                yield f"{name_of(each)}: what {topic} has lost is read nowhere"
            elif hosts and urlsplit(url).hostname not in hosts[writer]:
                yield f"{name_of(each)}: what {topic} has lost is not at {url}"
        token = PurePosixPath(environment.get("AFTERSALES_SOURCE_TOKEN_FILE", "/"))
        if str(token.parent) != environment.get("AFTERSALES_SECRETS_DIR"):
            yield f"{name_of(each)}: {token} is none of its secrets"


def databases_take_all_connections(applied: Rendered) -> Iterator[str]:
    """All processes at their most, one more of each kind while it is replaced, and people."""
    for name in SERVICES:
        found = [applied.named("Cluster", f"{name}-{kind}") for kind in ("database", "keys")]
        if None in found or (worker := applied.named("Deployment", f"{name}-worker")) is None:
            continue
        settings = loaded(name, environment_of(applied, worker["spec"]["template"]))
        processes = sum(_most(applied, f"{name}-{kind}") + 1 for kind in ("api", "worker"))
        needed = (
            processes * (settings.connections + PROBE_CONNECTIONS) + MIGRATING + PEOPLE,
            processes * settings.keys_connections + MIGRATING + PEOPLE,
        )
        for cluster, wanted in zip(found, needed, strict=True):
            assert cluster is not None
            has = int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
            if has < wanted:
                yield f"{name_of(cluster)}: takes {has} connections, {wanted} may be wanted"


def _most(applied: Rendered, name: str) -> int:
    """How many pods a Deployment may have."""
    for each in applied.of("HorizontalPodAutoscaler"):
        if each["spec"]["scaleTargetRef"]["name"] == name:
            return int(each["spec"]["maxReplicas"])
    for each in applied.of("ScaledObject"):
        if each["spec"]["scaleTargetRef"]["name"] == name:
            return int(each["spec"]["maxReplicaCount"])
    deployment = applied.named("Deployment", name)
    return int(deployment["spec"].get("replicas", 1)) if deployment else 0


def one_alone_says_how_many(applied: Rendered) -> Iterator[str]:
    """An autoscaler or a number; workers by what waits for them, and no more than can share it."""
    scaled = Counter(
        each["spec"]["scaleTargetRef"]["name"]
        for each in applied.of("HorizontalPodAutoscaler", "ScaledObject")
    )
    for each in applied.of("Deployment"):
        said = scaled[each["metadata"]["name"]] + ("replicas" in each["spec"])
        if said != 1:
            yield f"{name_of(each)}: {said} say how many there are"
    for name in scaled:
        if applied.named("Deployment", name) is None:
            yield f"an autoscaler is of {name}, which there is not"
    for each in applied.of("ScaledObject"):
        service = each["spec"]["scaleTargetRef"]["name"].removesuffix("-worker")
        wanted = {
            (group, it) for group, topics in flows_of(service).groups.items() for it in topics
        }
        told = [trigger["metadata"] for trigger in each["spec"]["triggers"]]
        if {(it["consumerGroup"], it["topic"]) for it in told} != wanted:
            yield f"{name_of(each)}: looks at other consumer groups than its service has"
        if each["spec"]["maxReplicaCount"] > PARTITIONS:
            yield f"{name_of(each)}: more workers than there are partitions"


def services_lead_to_pods(applied: Rendered) -> Iterator[str]:
    """A selector takes the pods of one Deployment, which have that port."""
    for each in applied.of("Service"):
        if (selector := each["spec"].get("selector")) is None:
            continue
        found = _selected(applied, {"matchLabels": selector})
        if [it["kind"] for it in found] != ["Deployment"]:
            yield f"{name_of(each)}: leads to {[name_of(it) for it in found]}"
            continue
        [container] = found[0]["spec"]["template"]["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        if any(port["targetPort"] not in ports for port in each["spec"]["ports"]):
            yield f"{name_of(each)}: leads to a port that is not there"


def what_is_named_is_there(applied: Rendered) -> Iterator[str]:
    """Settings, claims, images of a version."""
    for each, template in applied.workloads():
        for container in containers_of(template):
            for source in container.get("envFrom", ()):
                name = source["configMapRef"]["name"]
                if applied.named("ConfigMap", name) is None:
                    yield f"{name_of(each)}: there are no settings {name}"
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            if tag in {"", "latest"}:
                yield f"{name_of(each)}: {container['image']} is whatever it is today"
        for volume in template["spec"]["volumes"]:
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim is not None and applied.named("PersistentVolumeClaim", claim) is None:
                yield f"{name_of(each)}: there is no claim {claim}"


def nothing_is_there_twice(applied: Rendered) -> Iterator[str]:
    counted = Counter(
        (each["apiVersion"].partition("/")[0], name_of(each)) for each in applied.resources
    )
    for (_, name), count in counted.items():
        if count > 1:
            yield f"{name}: is there {count} times"
    for each in applied.resources:
        cluster_wide = each["kind"] in {"Namespace", "PriorityClass", "GatewayClass"}
        if not cluster_wide and each["metadata"].get("namespace") != "aftersales":
            yield f"{name_of(each)}: is in another namespace"


def keys_are_not_kept_for_long(applied: Rendered) -> Iterator[str]:
    """An erasure is complete when no backup has the key any more."""
    stores = {each["metadata"]["name"]: each["spec"] for each in applied.of("ObjectStore")}
    for each in applied.of("Cluster", api="postgresql.cnpg.io"):
        for plugin in each["spec"].get("plugins", ()):
            name = plugin["parameters"]["barmanObjectName"]
            if name not in stores:
                yield f"{name_of(each)}: there is no store {name}"
                continue
            of_keys = each["metadata"]["name"].endswith("-keys")
            days = _days_of(stores[name])
            if of_keys and days > KEYS_BACKUP_DAYS_MAX:
                yield f"{name_of(each)}: a destroyed key is in backups for {days} days"
            if of_keys == (name != "keys"):
                yield f"{name_of(each)}: its backups are with others'"


def _days_of(store: Resource) -> int:
    kept: str = store["retentionPolicy"]
    return int(kept[:-1]) if kept.endswith("d") else 10_000


def what_is_announced_is_not_kept_longer_than_keys(applied: Rendered) -> Iterator[str]:
    """Else what people wrote is not taken from there, or an erasure would not reach it."""
    store = applied.named("ObjectStore", "keys")
    for name in SERVICES:
        worker, feeds = applied.named("Deployment", f"{name}-worker"), flows_of(name).feeds
        if worker is None or not feeds:
            continue
        days = loaded(name, environment_of(applied, worker["spec"]["template"])).keys_backup_days
        if store is not None and days > _days_of(store["spec"]):
            yield f"{name_of(worker)}: backups of keys are not kept for {days} days"
        for topic in feeds:
            found = applied.named("KafkaTopic", topic)
            kept = kept_at_most(found["spec"]["config"]) if found else 0
            if kept is None or kept > days * DAY_MS:
                yield f"{topic}: is kept for longer than {days} days"


RULES: tuple[Rule, ...] = (
    pods_have_no_rights,
    pods_know_nothing_of_the_cluster,
    volumes_are_bounded,
    processes_are_looked_after,
    resources_are_asked_for,
    files_of_people_find_room,
    what_is_read_finds_room,
    each_deployment_is_kept_available,
    processes_end_in_time,
    code_waits_for_its_migration,
    settings_are_whole,
    what_a_topic_has_lost_is_found,
    databases_take_all_connections,
    one_alone_says_how_many,
    services_lead_to_pods,
    what_is_named_is_there,
    nothing_is_there_twice,
    keys_are_not_kept_for_long,
    what_is_announced_is_not_kept_longer_than_keys,
    figures.figures_are_those_that_are_meant,
    joined.ports_are_those_of_the_code,
    joined.routes_lead_somewhere,
    joined.one_token_passes_all,
    joined.secrets_are_where_they_are_looked_for,
    joined.every_secret_is_made_by_somebody,
    joined.kafka_is_where_it_is_looked_for,
    joined.kafka_is_one,
    joined.every_database_is_there,
    joined.copies_have_somewhere_to_be,
    joined.everybody_is_asked_for_metrics,
)


def wrong_with(applied: Rendered) -> list[str]:
    """By all rules."""
    return [f"{rule.__name__}: {told}" for rule in RULES for told in rule(applied)]
