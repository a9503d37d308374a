"""Every overlay and every supported combination can be applied, and nothing in it is wrong."""

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from deploy_checks.combinations import (
    Different,
    Parts,
    combinations,
    kustomization,
    parts_of,
    without,
)
from deploy_checks.definitions import needs
from deploy_checks.facts import SERVICES
from deploy_checks.generated import files
from deploy_checks.joined import one_token_passes_all
from deploy_checks.render import (
    APPLIED,
    K8S,
    REPOSITORY,
    Absent,
    NotRendered,
    Rendered,
    Resource,
    group_of,
    name_of,
    rendered,
    tool,
)
from deploy_checks.rules import wrong_with
from deploy_checks.secrets import BY_PASSWORD, GATEWAY, OWNER, made_by_hand, secrets_of

FOUR = {"strimzi", "cloudnative-pg", "keda", "envoy-gateway", "gateway-api"}
"""What production needs. Gateway API comes with Envoy Gateway."""
MORE = {"external-secrets", "plugin-barman-cloud", "prometheus-operator"}
LINES_MAX = 25
NAMED = re.compile(r"`([^`]+)`")
SECONDS_MAX = 120


@pytest.fixture(scope="module")
def everything() -> dict[str, Rendered]:
    try:
        return {f"{path.parent.name}/{path.name}": Rendered(rendered(path)) for path in APPLIED}
    except Absent as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("name", [f"{path.parent.name}/{path.name}" for path in APPLIED])
def test_nothing_is_wrong_with_what_is_applied(everything: dict[str, Rendered], name: str) -> None:
    applied = everything[name]
    assert {each["metadata"]["name"] for each in applied.of("Job")} == {
        f"{service}-migrate" for service in SERVICES
    }
    assert wrong_with(applied) == []


def test_production_needs_four_operators_and_its_fuller_form_three_more(
    everything: dict[str, Rendered],
) -> None:
    prod, full = everything["overlays/prod"], everything["overlays/prod-full"]
    assert needs(prod) == FOUR
    assert needs(full) == FOUR | MORE
    named = {name_of(each) for each in full.resources}
    assert {name_of(each) for each in prod.resources} <= named


def test_whoever_needs_a_fifth_is_noticed(everything: dict[str, Rendered]) -> None:
    """By each object that is of another operator, and by a database that is given to a plugin."""
    prod, full = everything["overlays/prod"], everything["overlays/prod-full"]
    there = {name_of(each) for each in prod.resources}
    more = [each for each in full.resources if name_of(each) not in there]
    own = {"ConfigMap", "ScheduledBackup"}  # Kubernetes' and CloudNativePG's
    foreign = [each for each in more if each["kind"] not in own]
    given = full.of("Cluster")
    assert (len(foreign), len(given)) == (32, 2 * len(SERVICES))
    for each in (*foreign, *given):
        assert needs(Rendered([*prod.resources, each])) > FOUR, name_of(each)


def is_kubernetes_own(each: Resource) -> bool:
    group = group_of(each)
    return "." not in group or group.endswith(".k8s.io")


def test_what_is_kubernetes_own_has_no_field_too_many_or_too_few(
    everything: dict[str, Rendered], parts: Parts, tmp_path: Path
) -> None:
    """One of each name: the API server looks at every one of all combinations."""
    applied = [each for overlay in everything.values() for each in overlay.resources]
    own = [
        each
        for each in by_name([*parts.all(), *applied]).values()
        if is_kubernetes_own(each) and not each["apiVersion"].startswith("gateway.")
    ]
    assert {"Deployment", "Job", "NetworkPolicy", "HorizontalPodAutoscaler"} <= {
        each["kind"] for each in own
    }
    (tmp_path / "own.yaml").write_text(yaml.dump_all(own, Dumper=yaml.CSafeDumper))
    done = validated(tmp_path / "own.yaml")
    assert (done.returncode, "WARN" in done.stdout + done.stderr) == (0, False), done.stdout


def validated(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [tool("kubernetes-validate"), "--strict", "--quiet", path],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )


def test_the_schemas_refuse_a_field_that_there_is_not(
    everything: dict[str, Rendered], tmp_path: Path
) -> None:
    [job, *_] = everything["overlays/prod"].of("Job")
    job["spec"]["backofLimit"] = 1
    (tmp_path / "own.yaml").write_text(yaml.safe_dump_all([job]))
    del job["spec"]["backofLimit"]
    assert validated(tmp_path / "own.yaml").returncode != 0


def test_nothing_is_wrong_with_any_combination_of_components(parts: Parts) -> None:
    everything = [*combinations()]
    page = (REPOSITORY / "docs" / "kubernetes.md").read_text()
    assert f"all {len(everything)} combinations" in page
    for chosen in everything:
        assert wrong_with(parts.of(chosen)) == [], chosen


def test_a_combination_is_the_sum_of_its_parts(parts: Parts, tmp_path: Path) -> None:
    """That is how all of them are looked at, so some are put together for real."""
    everything = [*combinations()]
    for number, chosen in enumerate([everything[0], everything[-1]]):
        folder = kustomization(tmp_path / str(number), parts_of(chosen))
        assert by_name(rendered(folder)) == by_name(parts.of(chosen).resources)


def by_name(found: Iterable[Resource]) -> dict[tuple[str, str], Resource]:
    return {(group_of(each), name_of(each)): each for each in found}


def test_whatever_alters_what_another_component_brings_is_noticed(tmp_path: Path) -> None:
    """Or what is brought twice: then a combination is more than its parts, or cannot be."""
    kept = rendered(kustomization(tmp_path / "cnpg", ["cnpg"]))
    [policy, *_] = [each for each in kept if name_of(each) == "NetworkPolicy/to-databases"]
    altered = [*kept]
    altered[kept.index(policy)] = policy | {"spec": {}}
    assert without(altered, altered) == []
    with pytest.raises(Different, match="to-databases"):
        without(altered, kept)
    twice = kustomization(tmp_path / "twice", ["cnpg", "external-servers/postgres"])
    with pytest.raises(NotRendered, match="to-databases"):
        rendered(twice)


def test_every_component_is_in_a_combination() -> None:
    there = {path.parent.name for path in (K8S / "components").glob("*/kustomization.yaml")}
    chosen = {part for each in combinations() for part in parts_of(each)}
    assert there == {part.partition("/")[0] for part in chosen} - {"base"}


def test_a_service_is_an_instance_of_the_shape_in_a_few_lines() -> None:
    for service in SERVICES:
        [file] = (K8S / "base" / service).iterdir()
        assert len(file.read_text().splitlines()) <= LINES_MAX, file


def test_whoever_makes_secrets_by_hand_finds_each_of_them_in_the_docs() -> None:
    page = (REPOSITORY / "docs" / "kubernetes.md").read_text()
    each = {name for service in SERVICES for name in secrets_of(service)}
    named = {*OWNER, *BY_PASSWORD, *each}
    assert {name for name in named if f"`{name}`" not in page} == set()
    [table] = re.findall(r"\| Secret \| members \|\n((?:\|.*\n)+)", page)
    cells = [line.split("|")[1].partition(" besides")[0] for line in table.splitlines()]
    told = {name for cell in cells for name in NAMED.findall(cell)}
    of_each = {name.removeprefix("<service>") for name in told if name[0] in "<-"}
    assert {f"{service}{kind}" for service in SERVICES for kind in of_each} | {
        name for name in told if name[0] not in "<-"
    } == {*made_by_hand(), GATEWAY}


def test_an_overlay_as_the_pages_show_it_says_what_is_an_operators_own(tmp_path: Path) -> None:
    pages = {
        name: (REPOSITORY / "docs" / f"{name}.md").read_text() for name in ("kubernetes", "gateway")
    }
    [overlay] = re.findall(
        r"```yaml\n(apiVersion: kustomize.*?)```", pages["kubernetes"], re.DOTALL
    )
    [gateway] = re.findall(r"```yaml\n(patches:.*?)```", pages["gateway"], re.DOTALL)
    told = yaml.safe_load(overlay)
    told["patches"] += yaml.safe_load(gateway)["patches"]
    told["resources"] = [os.path.relpath(K8S / "overlays" / "prod", tmp_path.resolve())]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump_all([told]))
    applied = Rendered(rendered(tmp_path))
    assert [*one_token_passes_all(applied)] == []
    [tokens] = [each for each in applied.of("SecurityPolicy") if "jwt" in each["spec"]]
    assert tokens["spec"]["jwt"]["providers"][0]["issuer"] == "https://id.shop.example"
    route, deployment = (
        applied.named("HTTPRoute", "review"),
        applied.named("Deployment", "review-api"),
    )
    assert route is not None
    assert deployment is not None
    assert route["spec"]["hostnames"] == ["review.shop.example"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "REGISTRY/aftersales/review-service:1.0"


def test_topics_users_and_scaling_are_those_of_the_code() -> None:
    for path, text in files().items():
        assert path.read_text() == text, f"{path} is not what the code says: `make docs`"
