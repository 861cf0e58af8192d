"""Dashboards as data, and how Grafana wants to be told of them.

A dashboard is rows of panels, a panel is a title and queries. Where they lie on the screen, and whatever else Grafana
needs, is the same for all of them.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

JOB = 'job=~"$job"'
WIDTH = 24
HEIGHT = 8


class Query(NamedTuple):
    """An expression in PromQL, and what its series are called."""

    expression: str
    legend: str


class Panel(NamedTuple):
    """A chart over time; `unit` as Grafana names it. `help` says what to make of it."""

    title: str
    unit: str
    help: str
    queries: tuple[Query, ...]


class Dashboard(NamedTuple):
    """Rows of panels; each row shares the width among its panels."""

    uid: str
    title: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]


def rate(metric: str, by: str, labels: str = "") -> str:
    """Events per second, summed over the workers."""
    return f"sum by ({by}) (rate({metric}{{{JOB}{', ' if labels else ''}{labels}}}[$__rate_interval]))"


def quantiles(metric: str, labels: str = "") -> tuple[Query, ...]:
    """The median and the 99th percentile of a histogram over all workers."""
    return tuple(
        Query(f"histogram_quantile({q}, {rate(f'{metric}_bucket', 'le', labels)})", f"p{q * 100:g}")
        for q in (0.5, 0.99)
    )


def gauge(function: str, metric: str, by: str, labels: str = "") -> str:
    """What the workers report now, summed or the highest."""
    return f"{function} by ({by}) ({metric}{{{JOB}{', ' if labels else ''}{labels}}})"


def written(dashboard: Dashboard) -> str:
    """A dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in dashboard.rows:
        panels.append(
            {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": _place(0, top, WIDTH, 1)}
        )
        width = WIDTH // len(row)
        panels += [_chart(panel, _place(width * n, top + 1, width, HEIGHT)) for n, panel in enumerate(row)]
        top += 1 + HEIGHT
    body = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["journey-stream"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "tags": ["journey-stream"], "title": "journey-stream", "asDropdown": True}],
        "templating": {"list": _variables()},
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, 1)],
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _chart(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.help,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "custom": {"fillOpacity": 10, "showPoints": "never"}},
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": source, "expr": query.expression, "legendFormat": query.legend}
            for n, query in enumerate(panel.queries)
        ],
    }


def _variables() -> list[dict[str, Any]]:
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "job",
            "label": "Application",
            "type": "query",
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "query": {"query": "label_values(journey_ready, job)", "refId": "job"},
            "refresh": 2,
            "includeAll": True,
            "allValue": ".+",
            "multi": True,
            "current": {"text": "All", "value": "$__all"},
        },
    ]


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}
