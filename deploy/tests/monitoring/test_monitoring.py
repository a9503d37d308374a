"""Alerts fire when they should and not before; nothing is looked at that nobody tells."""

import re
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_checks.metrics import alerts, dashboards, expressions, panels, there_are, unknown
from deploy_checks.render import K8S, Rendered, rendered
from deploy_tools.cache import PROMTOOL, Absent, program_at_hand
from prometheus_client import REGISTRY, generate_latest
from shared_runtime.ownership import GROUPS
from shared_runtime.skew import SKEW_MAX

HERE = Path(__file__).parent
RUNBOOKS = K8S.parents[1] / "docs" / "runbooks.md"
SECONDS_MAX = 300


@pytest.fixture(scope="module")
def applied() -> Rendered:
    return Rendered(rendered(K8S / "tests" / "monitoring"))


@pytest.fixture(scope="module")
def known() -> dict[str, frozenset[str]]:
    return there_are()


@pytest.fixture(scope="session")
def promtool() -> str:
    if (found := shutil.which("promtool")) is not None:
        return found
    try:
        return str(program_at_hand(PROMTOOL))
    except Absent as why:
        pytest.skip(f"alerts are tried by promtool: {why}")


def test_promtool_is_kept_by_its_version(promtool: str, tmp_path: Path) -> None:
    if promtool == shutil.which("promtool"):
        pytest.skip("promtool is this machine's own")
    folder = Path(promtool).parents[2].name
    told = asked(promtool, "--version", folder=tmp_path).split()[
        2
    ]  # "promtool, version 2.42.0+ds …"
    assert folder == f"promtool-{PROMTOOL.version}"
    assert folder.startswith(f"promtool-{told.partition('+')[0]}")


def asked(promtool: str, *arguments: str | Path, folder: Path, told: bytes = b"") -> str:
    done = subprocess.run(  # noqa: S603
        [promtool, *arguments],
        cwd=folder,
        input=told,
        capture_output=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


def groups_of(applied: Rendered) -> dict[str, Any]:
    [rules] = applied.of("PrometheusRule")
    return {"groups": deepcopy(rules["spec"]["groups"])}


def test_each_alert_fires_when_it_should_and_not_before(
    applied: Rendered, promtool: str, tmp_path: Path
) -> None:
    told = groups_of(applied)
    for rule in (rule for group in told["groups"] for rule in group["rules"]):
        rule.pop("annotations", None)  # what they say is not repeated in their tests
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump_all([told]))
    tests = [shutil.copy(path, tmp_path) for path in sorted(HERE.glob("*.yaml"))]
    asked(promtool, "test", "rules", *tests, folder=tmp_path)


def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(
    applied: Rendered,
) -> None:
    tried = [
        (case["alertname"], bool(case["exp_alerts"]))
        for path in HERE.glob("*.yaml")
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    for rule in alerts(applied):
        assert {fires for name, fires in tried if name == rule["alert"]} == {True, False}


def test_metrics_are_named_as_prometheus_has_it(
    known: dict[str, frozenset[str]], promtool: str, tmp_path: Path
) -> None:
    """Those that count (…_total), and what they are counted in; the process's own aside."""
    assert known
    linted = asked(promtool, "check", "metrics", folder=tmp_path, told=generate_latest(REGISTRY))
    assert linted == ""


def test_a_metric_without_its_unit_is_found(promtool: str, tmp_path: Path) -> None:
    told = b"# HELP lag_ms How late.\n# TYPE lag_ms gauge\nlag_ms 3\n"
    with pytest.raises(AssertionError, match="abbreviated units"):
        asked(promtool, "check", "metrics", folder=tmp_path, told=told)


def test_rules_and_panels_can_be_read(applied: Rendered, promtool: str, tmp_path: Path) -> None:
    shown = [{"record": "shown", "expr": expression} for _, expression in panels()]
    for number, each in enumerate(shown):
        each["record"] += f":{number}"
    told = groups_of(applied)
    told["groups"] += [{"name": "panels", "rules": shown}]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump_all([told]))
    assert "SUCCESS" in asked(promtool, "check", "rules", "rules.yaml", folder=tmp_path)


def test_nothing_is_asked_for_that_nobody_tells(
    applied: Rendered, known: dict[str, frozenset[str]]
) -> None:
    everything = [*expressions(applied), *panels()]
    assert len(everything) > 40
    wrong = [(who, told) for who, each in everything for told in unknown(each, known)]
    assert wrong == []


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("aftersales_parked_kegs > 0", "there is no metric aftersales_parked_kegs"),
        ("sum by (topic) (aftersales_parked_keys)", "aftersales_parked_keys has no label topic"),
        ('rate(http_requests_total{code="500"}[5m])', "http_requests_total has no label code"),
        ("rate(http_requests[5m]) or vector(0)", "there is no metric http_requests"),
    ],
)
def test_what_nobody_tells_is_noticed(
    known: dict[str, frozenset[str]], expression: str, said: str
) -> None:
    assert said in [*unknown(expression, known)]


def test_whoever_is_called_finds_a_page_for_it(applied: Rendered) -> None:
    headings = re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    named = [rule["alert"] for rule in alerts(applied)]
    assert sorted(headings) == sorted(named)
    for rule in alerts(applied):
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]


def test_a_clock_is_told_of_when_its_process_stops_to_record(applied: Rendered) -> None:
    [expression] = [each for name, each in expressions(applied) if name == "ClockSkewed"]
    assert float(expression.rpartition(">")[2]) == SKEW_MAX.total_seconds()


def test_a_log_is_read_when_each_part_of_it_is_somebodys(applied: Rendered) -> None:
    [expression] = [each for name, each in expressions(applied) if name == "NobodyReadsTheLog"]
    assert int(expression.rpartition("<")[2]) == GROUPS


def test_all_that_is_alarming_when_it_stands_still_is_in_an_alert_or_a_panel(
    applied: Rendered, known: dict[str, frozenset[str]]
) -> None:
    """A metric of ours that nobody looks at is one too many."""
    everything = " ".join(each for _, each in [*expressions(applied), *panels()])
    ours = {name for name in known if name.startswith("aftersales_")}
    looked_at = {*re.findall(r"\w+", everything)}
    histograms = {name.removesuffix("_bucket") for name in looked_at if name.endswith("_bucket")}
    looked_at |= {f"{name}_{part}" for name in histograms for part in ("sum", "count")}
    parts = ("_created", "_bucket")  # a histogram is looked at by its sum and count, or by these
    forgotten = {name for name in ours - looked_at if not name.endswith(parts)}
    assert forgotten == {"aftersales_gaps_total"}  # what is read again by itself


def test_a_dashboard_shows_each_panel_in_a_place_of_its_own() -> None:
    for path, dashboard in dashboards().items():
        places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
        assert len({*places}) == len(places), path
        assert all(
            panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in dashboard["panels"]
        )
