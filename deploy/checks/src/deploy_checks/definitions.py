"""The name of an operator in, the definitions of its kinds out: from registries, never committed.

Strimzi's are written by its own generator, from two Maven packages; the others' are in Go modules,
which `deploy_tools.cache` fetches.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import yaml
from deploy_tools import cache
from local_stack.downloads import cache_folder

from deploy_checks.render import Absent, Rendered, Resource, group_of

POM = Path(__file__).parents[2] / "strimzi" / "pom.xml"
JAVA_AT_LEAST = 21
SECONDS_MAX = 300
KINDS: Mapping[str, str] = {
    "kafka": "kafka.Kafka",
    "pool": "nodepool.KafkaNodePool",
    "topic": "topic.KafkaTopic",
    "user": "user.KafkaUser",
}
MODEL = "io.strimzi.api.kafka.model"
GENERATED = ("--target-kube", "1.30+", "--crd-api-version", "v1", "--api-versions", "v1")
DEFINITION = "CustomResourceDefinition"
STRIMZI = "kafka.strimzi.io"
OPERATORS: Mapping[str, str] = {
    "postgresql.cnpg.io": "cloudnative-pg",
    "barmancloud.cnpg.io": "plugin-barman-cloud",
    "keda.sh": "keda",
    "external-secrets.io": "external-secrets",
    "monitoring.coreos.com": "prometheus-operator",
    "gateway.networking.k8s.io": "gateway-api",
    "gateway.envoyproxy.io": "envoy-gateway",
}
"""The group of a kind, and whose it is."""
PLUGINS: Mapping[str, str] = {"barman-cloud.cloudnative-pg.io": "plugin-barman-cloud"}
"""What a cluster of CloudNativePG is given to, and whose it is."""


def needs(applied: Rendered) -> set[str]:
    """Whose kinds and plugins a cluster has to know before this is applied, besides its own; those
    of nobody that we know by their own names.
    """
    owners = {**OPERATORS, **PLUGINS, STRIMZI: "strimzi"}
    groups = {group_of(each) for each in applied.resources}
    plugins = {
        plugin["name"]
        for each in applied.of("Cluster", api="postgresql.cnpg.io")
        for plugin in each["spec"].get("plugins", ())
    }
    foreign = {each for each in groups if "." in each and not each.endswith(".k8s.io")}
    return {owners.get(name, name) for name in foreign | plugins | (groups & {*owners})}


def definitions(kinds: Collection[tuple[str, str]]) -> Iterator[Resource]:
    """Of these kinds (group, kind), as far as they are of `OPERATORS` or Strimzi's. Raises
    `cache.Absent`, `Absent`.
    """
    groups = {group for group, _ in kinds}
    folders = [
        cache.custom_resources(operator) for group, operator in OPERATORS.items() if group in groups
    ]
    if STRIMZI in groups:
        folders.append(strimzi())
    for path in sorted(path for folder in folders for path in folder.glob("*.yaml")):
        text = path.read_text()
        if not any(f"    kind: {kind}\n" in text for _, kind in kinds):
            continue  # most are of kinds that we have none of, and long
        for each in yaml.load_all(text, Loader=yaml.CSafeLoader):
            spec = each["spec"] if each and each["kind"] == DEFINITION else None
            if spec and (spec["group"], spec["names"]["kind"]) in kinds:
                yield each


def strimzi() -> Path:
    """A folder with the definitions of Strimzi's kinds; written once. Raises `Absent`."""
    version = re.search(r"<strimzi.version>(.+)</", POM.read_text())
    assert version is not None
    folder = cache_folder() / "tools" / f"strimzi-definitions-{version.group(1)}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
            _write(Path(unfinished), java(), maven())
            (Path(unfinished) / "out").rename(folder)
    return folder


def _write(work: Path, java: Path, maven: str) -> None:
    out = work / "out"
    out.mkdir()
    copy = ("--quiet", "--batch-mode", "dependency:copy-dependencies")
    _run([maven, "--file", str(POM), *copy, f"-DoutputDirectory={work / 'jars'}"])
    generator = [str(java), "-cp", f"{work / 'jars'}/*", "io.strimzi.crdgenerator.CrdGenerator"]
    wanted = [f"{MODEL}.{kind}={out / name}.yaml" for name, kind in KINDS.items()]
    _run([*generator, *GENERATED, "--storage-version", "v1", "--yaml", *wanted])


def _run(command: list[str]) -> None:
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX
    )
    if done.returncode:
        raise Absent(f"Strimzi's definitions cannot be written: {done.stderr[-500:]}")


def java() -> Path:
    """One that is new enough for Strimzi: JAVA_HOME's, the path's, or one beside it."""
    home = os.environ.get("JAVA_HOME")
    candidates = [Path(home) / "bin" / "java"] if home else []
    candidates += [Path(found)] if (found := shutil.which("java")) else []
    candidates += sorted(Path("/usr/lib/jvm").glob("*/bin/java"))
    for candidate in candidates:
        if not candidate.exists():
            continue
        told = subprocess.run([candidate, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
        version = re.search(r'version "(\d+)', told.stderr + told.stdout)
        if version and int(version.group(1)) >= JAVA_AT_LEAST:
            return candidate
    raise Absent(f"Strimzi's definitions are written by Java {JAVA_AT_LEAST} or newer")


def maven() -> str:
    if (found := shutil.which("mvn")) is None:
        raise Absent("Strimzi's definitions are written with packages that Maven downloads")
    return found
