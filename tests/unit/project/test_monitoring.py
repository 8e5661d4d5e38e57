"""The alerts as Prometheus understands them; the dashboard as far as it can be told."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from batching_demo.batcher_service import metrics
from batching_demo.batcher_service.batcher import buffer_metrics
from batching_demo.batcher_service.queues import metrics as queue_metrics
from tests.support.manifests import queries_of_keda
from tests.support.root import ROOT

MONITORING = ROOT / "monitoring"
GRAFANA = MONITORING / "grafana"
RULES: list[dict[str, Any]] = [
    rule
    for group in YAML(typ="safe").load(MONITORING / "alerts.yml")["groups"]
    for rule in group["rules"]
]
ALERTS = [rule["alert"] for rule in RULES if "alert" in rule]
TESTS: list[dict[str, Any]] = YAML(typ="safe").load(MONITORING / "alerts_test.yml")["tests"]
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "batching.json").read_text())


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool") or shutil.which("promtool", path=ROOT / ".tools")
    if found is None:
        missing = "promtool is missing: scripts/bring_promtool brings it"
        if os.environ.get("CI") or os.environ.get("REQUIRE_PROMTOOL"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")]
)
def test_promtool_has_nothing_to_say(promtool: str, arguments: tuple[str, ...]) -> None:
    result = subprocess.run(
        [promtool, *arguments], cwd=MONITORING, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_query_of_the_dashboard_and_of_keda_is_promql(promtool: str, tmp_path: Path) -> None:
    targets = [target for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    queries = [target["expr"].replace("$__rate_interval", "1m") for target in targets]
    queries += queries_of_keda()
    file = tmp_path / "queries.yml"
    rules = [{"record": "query", "expr": query} for query in queries]
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    result = subprocess.run(
        [promtool, "check", "rules", "--lint=none", file], capture_output=True, text=True
    )
    assert f"{len(queries)} rules found" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_fires_in_a_test(alert: str) -> None:
    cases = [case for test in TESTS for case in test.get("alert_rule_test", [])]
    assert any(case["alertname"] == alert and case["exp_alerts"] for case in cases)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_documented(alert: str) -> None:
    assert f"`{alert}`" in (ROOT / "docs" / "metrics.md").read_text()


def test_every_metric_is_documented_with_its_served_name() -> None:
    documented = set(re.findall(r"`(batching_\w+)`", (ROOT / "docs" / "metrics.md").read_text()))
    declared = {
        value
        for name, value in (vars(metrics) | vars(buffer_metrics) | vars(queue_metrics)).items()
        if name.isupper() and isinstance(value, str) and value.startswith("batching_")
    }
    assert {name.removesuffix("_total") for name in documented} == declared


def test_the_dashboard_asks_the_provisioned_source() -> None:
    sources = YAML(typ="safe").load(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")
    (source,) = sources["datasources"]
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}


def test_the_dashboard_uses_only_what_is_recorded() -> None:
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    used = set(re.findall(r"\bbatching:[\w:]+", json.dumps(DASHBOARD)))
    assert used
    assert used <= recorded


def test_no_two_panels_lie_on_each_other() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
