"""The page of the documentation about settings, written from the settings themselves.

python -m journey_stream.worker.settings_page > docs/settings.md
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from journey_stream.journey.durations import format_duration
from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import DURATIONS, PREFIX, SECRETS

MEANING: dict[str, dict[str, str]] = {
    "Kafka": {
        "bootstrap_servers": "Brokers to start from, as host:port. One is enough, several survive the loss of one.",
        "application_id": "Names the consumer groups and transactional ids. Two applications on the same brokers need "
        "two, and two prefixes of topics.",
        "security_protocol": "As the listener of the brokers speaks.",
        "sasl_mechanism": "How we sign in, with `SASL_PLAINTEXT` or `SASL_SSL`.",
        "sasl_username": "As whom, for every mechanism but `OAUTHBEARER`.",
        "sasl_password_file": "A file with that user's password.",
        "sasl_password": "The password itself; a file is better.",
        "oauth_token_url": "`OAUTHBEARER`: where tokens come from, by client credentials. `https://`, or `http://` on "
        "this machine.",
        "oauth_client_id": "As which client.",
        "oauth_client_secret_file": "A file with that client's secret.",
        "oauth_scope": "The scope to ask for, if one is needed.",
        "oauth_cafile": "The certificate authority of that address; those of the system if not set.",
        "ssl_cafile": "The certificate authority of the brokers; those of the system if not set.",
        "ssl_certfile": "Our certificate, for mutual TLS.",
        "ssl_keyfile": "The key of our certificate.",
        "ssl_keyfile_password_file": "A file with the password of that key, if it is locked.",
        "ssl_check_hostname": "Whether the certificate has to be for the broker's name. Without that, whoever has any "
        "certificate of the authority can pose as a broker.",
    },
    "Topics": {
        "sources": "Where touchpoints come from: any topics, with any keys and number of partitions.",
        "topic_prefix": "How the names of our own topics begin.",
        "partitions": "Partitions of our own topics, and so how many tasks there are. Fixed for the life of an "
        "`application_id`.",
        "replication_factor": "Copies of each record; three, or one per broker if there are fewer, if not set.",
        "retention": "How long the log, the changes and the dead letters are kept; longer than `lateness`.",
        "record_bytes_max": "The largest record that the log, the state and the outputs take, in bytes.",
        "dead_letter_bytes_max": "The largest dead letter, in bytes; at least `record_bytes_max`.",
    },
    "The journey": {
        "model": "The journey model: a preset, or the path of a YAML file.",
        "churn": "The parameters of churn risk: those that ship, the path of a file, or `none`.",
        "lateness": "How long after it happened a touchpoint may arrive and still correct the history.",
        "allowance": "How far a task may fall behind before a touchpoint that was in time can no longer be placed.",
        "skew": "How far a producer's clock may run ahead of ours.",
        "touchpoints_max": "Touchpoints held per customer, as protection from bots.",
        "ticks": "Whether time alone moves customers when no touchpoint arrives; `false` for a replay of the past.",
    },
    "Pseudonyms": {
        "pseudonymise": "Identifier types whose values the router replaces by keyed pseudonyms.",
        "pseudonym_key_file": "A file with the key, of at least 32 bytes; the same for every router.",
        "pseudonym_key": "The key itself; a file is better.",
        "drop_properties": "Properties that the router leaves out where it makes pseudonyms.",
    },
    "Erasure": {
        "erasure_key_file": "A file with the key by which erased identifiers are remembered.",
        "erasure_key": "The key itself; the `application_id` if neither is set.",
        "erasures_topic": "The topic that remembers them; `<topic_prefix>erasures` if not set.",
    },
    "The worker": {
        "batch_records_max": "Records of the log that one transaction takes at most.",
        "session_timeout": "A worker that has not been heard of for this long loses its tasks to the others.",
        "group_instance_id": "A name that this worker keeps over restarts, and no other has: static membership.",
        "transaction_timeout": "A transaction that is open for this long is ended by the broker.",
        "metrics_host": "Where `/metrics`, `/healthz` and `/readyz` are; `0.0.0.0` lets other machines ask.",
        "metrics_port": "Their port; 0 switches all of it off.",
    },
    "A schema registry": {
        "schema_registry_url": "With the address of a registry (Confluent's API) outputs are framed and registered.",
        "schema_registry_username": "Who may register schemas there.",
        "schema_registry_password_file": "A file with that user's password.",
        "schema_registry_password": "The password itself; a file is better.",
        "schema_registry_cafile": "The certificate authority of that address; those of the system if not set.",
    },
    "The live journey map": {
        "serve_host": "Where the map and its API listen; `0.0.0.0` lets other machines see it, and with it customers.",
        "serve_port": "Their port; 0 takes any that is free.",
        "serve_database": "What the topics are projected into: a file of DuckDB, or `postgresql://user@host/name`.",
        "serve_token": "A bearer token that the API then needs; a file is better.",
        "serve_token_file": "A file with such tokens, one a line.",
        "serve_admin_token_file": "A file with the tokens of admins, one a line, none of them among the others.",
        "serve_customers": "Who may look at single customers: whoever may read the map, or admins.",
        "serve_trusted_proxies": "Addresses or networks of proxies whose word on who their user is counts.",
        "serve_user_header": "The header in which they say it.",
        "serve_admins": "Which of these users are admins.",
        "serve_requests_per_second": "How often one token, user or address may ask in the long run; 0 for no limit.",
        "serve_requests_burst": "How often at once.",
    },
    "Logs and traces": {
        "log_format": "For people, or for log collectors.",
        "log_level": "The least that is told.",
        "tracing": "Spans of OpenTelemetry, for touchpoints that come with a sampled `traceparent`.",
    },
}
"""What each setting means, under the heading where the page has it."""

_INTRO = """\
# Settings

This page is generated by `python -m journey_stream.worker.settings_page`.

Settings stand in `journey.yaml`, in the working directory or where `--config` or `JOURNEY_CONFIG` says. Each is also a
variable, which wins over the file; an option of a [command](command-line.md) wins over both. Nothing is required.
[`journey.example.yaml`](../journey.example.yaml) says more of each; copy it to begin with.

- A **length of time** has a unit: `500ms`, `10s`, `5m`, `12h`, `30d`, `4w`.
- A **list** is one of YAML; in a variable it has commas: `JOURNEY_SOURCES=a,b`.
- A **path** in the file is meant from where the file is; elsewhere, from where the command runs.
- A **secret** is shown in no message and no log. Files of secrets are read each time they are needed.

All mistakes are told at once, each with its line or variable, before anything starts.
"""


class Setting(NamedTuple):
    """One setting, as it is told to people; `default` as a variable would hold it, None if there is none."""

    name: str
    variable: str
    kind: str
    default: str | None


def vocabulary() -> dict[str, Setting]:
    """All settings by the names that they have in the file."""
    described = Settings.model_json_schema()["properties"]
    return {
        name: Setting(name, PREFIX + name.upper(), _kind(name, _itself(schema)), _default(name, schema["default"]))
        for name, schema in described.items()
    }


def settings_page() -> str:
    """The page in Markdown."""
    settings = vocabulary()
    lines = [_INTRO]
    for heading, meanings in MEANING.items():
        lines += [
            f"## {heading}",
            "",
            "| setting | variable | holds | default | what it says |",
            "|---|---|---|---|---|",
        ]
        for name, meaning in meanings.items():
            one = settings[name]
            default = f"`{one.default}`" if one.default else ""
            lines.append(f"| `{name}` | `{one.variable}` | {one.kind} | {default} | {meaning} |")
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _itself(schema: dict[str, Any]) -> dict[str, Any]:
    """What a setting holds when it holds anything."""
    found: dict[str, Any] = next((one for one in schema.get("anyOf", ()) if one["type"] != "null"), schema)
    return found


def _kind(name: str, schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum", schema.get("ge")), schema.get("maximum", schema.get("le"))
    if name in DURATIONS:
        bounds = "" if low is None or high is None else f", {format_duration(low)} to {format_duration(high)}"
        return f"length of time{bounds}"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if name in SECRETS:
        return "secret"
    if schema.get("format") == "path":
        return "path"
    kind = {"array": "list", "string": "text", "boolean": "`true`, `false`", "integer": "whole number"}
    written = kind.get(schema["type"], schema["type"])
    return written if low is None else f"{written}, {low:,} to {high:,}"


def _default(name: str, value: Any) -> str | None:
    if value is None or value == []:
        return None
    if name in DURATIONS:
        return format_duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    sys.stdout.write(settings_page())
