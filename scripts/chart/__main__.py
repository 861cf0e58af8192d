"""Write what the Helm chart takes over from the code: python -m scripts.chart [DIRECTORY], by default the chart's own.

Helm reads no file outside of a chart. So rules and dashboards are copied, and the definitions of topics, the rights on
the brokers and the names of settings are written as data for its templates.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import NAMES, PATHS, SECRETS
from journey_stream.worker.rights import rights_of, strimzi_acls
from journey_stream.worker.topic_specs import ENVELOPE_BYTES, REPLICAS_USUAL, Role, topic_specs

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "deploy" / "helm" / "journey-stream"

# What the chart decides itself, so that its ports, probes and mounts fit.
DECIDED = {"metrics_host", "metrics_port", "serve_host", "serve_port", "serve_database", "group_instance_id"}

# What follows from the settings is left to the templates; the rest is the same whatever they are.
FOLLOWING = {"max.message.bytes", "retention.ms", "min.insync.replicas"}

# The parts of a release that log in to the brokers, and what they are called where their rights are listed.
PARTS = {"router": "router", "tasks": "tasks", "serve": "serve", "topics": "topics-create"}

# In place of these names the templates put those of the release.
NAMES_OF_A_RELEASE = Settings(
    application_id="APPLICATION", topic_prefix="PREFIX.", sources=("SOURCES",), erasures_topic="ERASURES"
)


def topics() -> dict[str, Any]:
    """The definitions of all topics, as data for templates/strimzi.yaml."""
    settings = Settings()
    specs = topic_specs(settings, REPLICAS_USUAL, history=False)
    sources = [spec for spec in specs if spec.name in settings.sources]
    ours = [spec for spec in specs if spec.name not in settings.sources]
    return {
        "defaults": {
            "partitions": settings.partitions,
            "recordBytesMax": settings.record_bytes_max,
            "deadLetterBytesMax": settings.dead_letter_bytes_max,
            "retentionMs": str(settings.retention_ms),
        },
        "envelopeBytes": ENVELOPE_BYTES,
        "source": _lasting(sources[0].configs),
        "ours": [
            {
                "suffix": spec.name.removeprefix(settings.topic_prefix),
                "role": spec.role.value,
                "single": spec.partitions == 1,
                "config": _lasting(spec.configs),
            }
            for spec in ours
        ],
        "roles": {"source": Role.SOURCE.value, "deadLetters": Role.DEAD_LETTERS.value, "erasures": Role.ERASURES.value},
    }


def rights() -> dict[str, Any]:
    """What each part may do on the brokers, as data for templates/strimzi.yaml."""
    return {
        part: strimzi_acls(rights_of(component, NAMES_OF_A_RELEASE))["authorization"]["acls"]
        for part, component in PARTS.items()
    }


def schema() -> dict[str, Any]:
    """values.schema.json: a wrong name in `config` is told by Helm, before any pod is made."""
    text = (DIRECTORY / "values.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    allowed = sorted(set(NAMES) - DECIDED - SECRETS - PATHS)
    found["properties"]["config"] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {} for name in allowed},
    }
    return found


def files() -> dict[str, str]:
    """All that is written, by its path in the chart."""
    shipped = ROOT / "deploy"
    dashboards = sorted((shipped / "grafana").glob("*.json"))
    return {
        "files/alerts.yaml": (shipped / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"),
        "files/topics.yaml": "# Written by python -m scripts.chart.\n" + yaml.safe_dump(topics(), sort_keys=False),
        "files/rights.yaml": "# Written by python -m scripts.chart.\n" + yaml.safe_dump(rights(), sort_keys=False),
        "values.schema.json": json.dumps(schema(), indent=2) + "\n",
        **{f"files/dashboards/{file.name}": file.read_text(encoding="utf-8") for file in dashboards},
    }


def main(arguments: list[str]) -> None:
    """Write everything to a directory."""
    directory = Path(arguments[0]) if arguments else DIRECTORY
    for path, text in files().items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text, encoding="utf-8")


def _lasting(configs: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in configs.items() if name not in FOLLOWING}


if __name__ == "__main__":
    main(sys.argv[1:])
