# SPDX-License-Identifier: Apache-2.0
"""The Helm chart, rendered by what it uses of Helm's language; the dashboard, against the figures that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml

from lakehouse.cli.main import main
from lakehouse.config.load import leaves
from lakehouse.server.metrics import lake_metrics
from tests.unit.helm import Chart, merged, parse

ROOT = Path(__file__).parents[2]
CHART = Chart(ROOT / "deploy" / "helm" / "lakehouse")
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "lakehouse.json").read_text())
ALONE: dict[str, Any] = {}
SHARED: dict[str, Any] = {
    "replicas": 3,
    "persistence": {"enabled": False},
    "database": {"url": "postgresql://lakehouse@postgres:5432/lakehouse"},
    "objectStore": {"url": "s3://lake", "endpoint": "http://store:9000"},
    "environment": {"LAKEHOUSE_AUDIT__LEVEL": "writes"},
    "gc": {"enabled": True},
    "metrics": {"serviceMonitor": {"enabled": True}},
}
KINDS = {"alone": (ALONE, {"StatefulSet", "Service"}),
         "shared": (SHARED, {"Deployment", "Service", "CronJob", "ServiceMonitor"})}  # fmt: skip


def pods(objects: dict[str, Any]) -> list[dict[str, Any]]:
    """The pods' specifications in all objects."""
    found = []
    for kind, one in objects.items():
        if kind in {"Deployment", "StatefulSet"}:
            found.append(one["spec"]["template"]["spec"])
        if kind == "CronJob":
            found.append(one["spec"]["jobTemplate"]["spec"]["template"]["spec"])
    return found


def fits(values: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft7Validator(CHART.schema).is_valid(merged(CHART.values, values)))


@pytest.mark.parametrize("name", list(KINDS))
def test_what_is_made(name: str) -> None:
    values, kinds = KINDS[name]
    assert fits(values)
    objects = CHART.objects(values)
    assert set(objects) == kinds
    for one in objects.values():
        assert one["apiVersion"]
        assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", one["metadata"]["name"])


@pytest.mark.parametrize("name", list(KINDS))
def test_parts_find_each_other(name: str) -> None:
    objects = CHART.objects(KINDS[name][0])
    servers = objects.get("Deployment") or objects["StatefulSet"]
    labels = servers["spec"]["template"]["metadata"]["labels"]
    assert servers["spec"]["selector"]["matchLabels"] == labels == objects["Service"]["spec"]["selector"]
    [container] = servers["spec"]["template"]["spec"]["containers"]
    assert {port["name"] for port in container["ports"]} == {objects["Service"]["spec"]["ports"][0]["targetPort"]}
    if "ServiceMonitor" in objects:
        spec = objects["ServiceMonitor"]["spec"]
        assert spec["selector"]["matchLabels"] == objects["Service"]["metadata"]["labels"]
        assert spec["endpoints"][0]["port"] == objects["Service"]["spec"]["ports"][0]["name"]
        assert spec["endpoints"][0]["path"] == "/metrics"
    for pod in pods(objects):
        mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
        claimed = {claim["metadata"]["name"] for claim in servers["spec"].get("volumeClaimTemplates", ())}
        assert mounted == {volume["name"] for volume in pod["volumes"]} | claimed
    if "CronJob" in objects:  # jobs are no servers: the service must not send them requests
        job = objects["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
        assert not labels.items() <= job.items()


@pytest.mark.parametrize("name", list(KINDS))
def test_the_program_knows_commands_and_variables(name: str) -> None:
    known = {leaf.variable for leaf in leaves()}
    for pod in pods(CHART.objects(KINDS[name][0])):
        [container] = pod["containers"]
        context = click.Context(main, info_name="lakehouse")
        command = main.get_command(context, container["args"][0])
        assert command is not None
        params = command.make_context(container["args"][0], container["args"][1:], parent=context).params
        assert str(params["data"]) in {mount["mountPath"] for mount in container["volumeMounts"]}
        names = [one["name"] for one in container["env"]]
        assert set(names) <= known
        assert len(names) == len(set(names))
        for one in container["env"]:
            assert ("value" in one) != ("valueFrom" in one)
            assert isinstance(one.get("value", ""), str)
            if re.search(r"SECRET|PASSWORD", one["name"]):
                assert one["valueFrom"]["secretKeyRef"]["name"] == "lakehouse"  # never a value of the chart's


@pytest.mark.parametrize("name", list(KINDS))
def test_pods_can_do_little(name: str) -> None:
    for pod in pods(CHART.objects(KINDS[name][0])):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        [container] = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_probes_ask_what_the_server_answers() -> None:
    [pod] = pods(CHART.objects(ALONE))
    [container] = pod["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/_health", "port": "http"}
    assert pod["terminationGracePeriodSeconds"] > 30  # the default of shutdown_timeout


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 2},  # two servers on one SQLite file in two volumes
        {"persistence": {"enabled": False}},  # nothing would be kept
        {"persistence": {"enabled": False}, "database": {"url": "postgresql://u@h/d"}},
        {"gc": {"enabled": True}},  # a job cannot use the server's volume
        {"database": {"url": "postgresql://user:password@host/db"}},
        {"environment": {"PATH": "/tmp"}},
        {"metrics": {"access": "everybody"}},
        {"unknown": 1},
    ],
)
def test_values_that_do_not_fit(values: dict[str, Any]) -> None:
    assert not fits(values)


def test_all_that_can_be_chosen_is_used() -> None:
    text = "".join(path.read_text() for path in (ROOT / "deploy" / "helm" / "lakehouse" / "templates").iterdir())

    def paths(values: dict[str, Any], at: str) -> list[str]:
        return [
            one
            for name, value in values.items()
            for one in (paths(value, f"{at}.{name}") if isinstance(value, dict) and value else [f"{at}.{name}"])
        ]

    open_ended = (".Values.environment.", ".Values.resources.")
    unused = [path for path in paths(CHART.values, ".Values") if path not in text and not path.startswith(open_ended)]
    assert unused == []


def test_what_is_not_known_of_helm_is_seen() -> None:
    with pytest.raises(ValueError, match="not known"):
        Chart._value(CHART, ".Values.x | upper", {"Values": {"x": "a"}})
    with pytest.raises(ValueError, match="not known"):
        Chart._value(CHART, "tpl .Values.x .", {"Values": {"x": "a"}})
    assert parse("a {{- if .x }}b{{- end }} c")[1] == ("if", ".x", [("text", "b")])


# -- the dashboard -----------------------------------------------------------------------------------------------------


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def figures() -> dict[str, Any]:
    server = lake_metrics()
    server.store("any")
    server.watch_stores()

    class Nothing:
        """Stands for a lake: only the names of its figures are asked for."""

        db = type("Db", (), {"transactions": None, "waiting": 0})()

    server.watch_lake(Nothing(), ["gc"])  # type: ignore[arg-type]
    return server.metrics.families


def named(expression: str, known: dict[str, Any]) -> list[str]:
    """The figures of an expression, also those that it names by a pattern."""
    patterns = re.findall(r'__name__=~"([^"]+)"', expression)
    plain = re.sub(r'__name__=~"[^"]+"', "", expression)
    found = [name for pattern in patterns for name in known if re.fullmatch(pattern, name)]
    assert len(found) >= len(patterns)
    return found + re.findall(r"\blakehouse_\w+", plain)


def test_every_figure_of_the_dashboard_exists_with_its_labels() -> None:
    known = figures()
    used = set()
    for panel in panels():
        for target in panel["targets"]:
            names = named(target["expr"], known)
            assert names, panel["title"]
            labels = set(re.findall(r"(\w+)=~?\"", target["expr"])) - {"job", "__name__"}
            for group in re.findall(r"by \(([^)]*)\)", target["expr"]):
                labels |= set(group.replace(" ", "").split(",")) - {"le", "instance"}
            labels |= set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) - {"instance"}
            for name in names:
                family = known[re.sub(r"_(bucket|sum|count)$", "", name)]
                assert name == family.name or family.kind == "histogram"
                assert labels <= set(family.labels), (panel["title"], name)
                used.add(family.name)
    assert set(known) - used == {"lakehouse_process_threads", "lakehouse_process_start_seconds",
                                 "lakehouse_gc_deleted_bytes_total", "lakehouse_gc_seconds_total"}  # fmt: skip


def test_counters_are_rates_and_gauges_are_not() -> None:
    known = figures()
    for panel in panels():
        for target in panel["targets"]:
            for call, name in re.findall(r"(\w+)\((lakehouse_\w+)\{", target["expr"]):
                counted = known[re.sub(r"_(bucket|sum|count)$", "", name)].kind != "gauge"
                assert (call in {"rate", "increase"}) == counted, (panel["title"], name)


def test_panels_do_not_lie_on_each_other() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        cells |= own


# -- alarms ------------------------------------------------------------------------------------------------------------


def test_alarms_are_on_figures_that_there_are() -> None:
    known = figures()
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "lakehouse.rules.yml").read_text())
    [group] = rules["groups"]
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"])
    for rule in group["rules"]:
        labels = set(re.findall(r"(\w+)=~?\"", rule["expr"])) - {"job", "__name__"}
        for by in re.findall(r"by \(([^)]*)\)", rule["expr"]):
            labels |= set(by.replace(" ", "").split(",")) - {"le", "instance"}
        labels |= set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) - {"instance"}
        names = named(rule["expr"], known)
        assert names
        for name in names:
            family = known[re.sub(r"_(bucket|sum|count)$", "", name)]
            assert labels <= set(family.labels), rule["alert"]
        assert rule["labels"]["severity"] in {"warning", "critical"}
