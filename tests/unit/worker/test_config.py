from __future__ import annotations

from pathlib import Path

import pytest

from journey_stream.worker.config import DAY_MS, Settings
from journey_stream.worker.config_file import ConfigError, load_settings


def written(path: Path, text: str) -> Path:
    file = path / "journey.yaml"
    file.write_text(text)
    return file


def mistakes(**sources: object) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load_settings(**{"environ": {}, **sources})  # type: ignore[arg-type]
    return str(raised.value).splitlines()


def test_every_setting_has_a_default() -> None:
    settings = load_settings(environ={})

    assert Settings() == settings
    assert ("touchpoints.web", "touchpoints.email", "touchpoints.store", "touchpoints.crm") == settings.sources
    assert settings.topics.stage_changes == "journey.stage-changes"


def test_a_variable_wins_over_the_file_and_an_option_over_both(tmp_path: Path) -> None:
    file = written(tmp_path, "partitions: 2\nlateness: 3d\ntopic_prefix: a.\n")

    settings = load_settings(file, {"JOURNEY_PARTITIONS": "4", "JOURNEY_TOPIC_PREFIX": "b."}, {"topic_prefix": "c."})

    assert (4, 3 * DAY_MS, "c.log") == (settings.partitions, settings.lateness_ms, settings.topics.log)


def test_the_file_is_the_one_that_the_variable_names(tmp_path: Path) -> None:
    file = written(tmp_path, "partitions: 3\n")

    assert load_settings(environ={"JOURNEY_CONFIG": str(file)}).partitions == 3


def test_lists_in_variables_have_commas() -> None:
    settings = load_settings(environ={"JOURNEY_SOURCES": "a, b", "JOURNEY_BOOTSTRAP_SERVERS": "h1:1,h2:2"})

    assert ("a", "b") == settings.sources
    assert ("h1:1", "h2:2") == settings.bootstrap_servers


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("partitions: 0", "partitions: found 0; expected at least 1"),
        ("partitions: many", "partitions: found 'many'; expected a whole number"),
        ("lateness: 30", "lateness: found 30; expected a length of time with its unit, such as 30d, 12h, 5m or 10s"),
        ("skew: 0s", "skew: found '0s'; expected more than 0"),
        ("ticks: maybe", "ticks: found 'maybe'; expected true or false"),
        (
            "group_instance_id: pod/1",
            "group_instance_id: found 'pod/1'; expected a Kafka name: 1 to 249 of the characters A-Z a-z 0-9 . _ -",
        ),
        (
            "schema_registry_url: registry:8081",
            "schema_registry_url: found 'registry:8081'; expected an address that begins with https:// or http://",
        ),
        (
            "schema_registry_url: https://me:hush@registry",
            "schema_registry_url: found a secret; expected an address without a user and a password in it",
        ),
        ("tracing: jaeger", "tracing: found 'jaeger'; expected one of 'none' or 'otlp'"),
        ("log_format: xml", "log_format: found 'xml'; expected one of 'text' or 'json'"),
        ("sources: []", "sources: found []; expected at least one topic to read touchpoints from"),
        ("sources: [a, a]", "sources: found ['a', 'a']; expected each topic once"),
        (
            "bootstrap_servers: here",
            "bootstrap_servers: found 'here'; expected brokers as host:port, which 'here' is not",
        ),
        ("retention: 30d", "retention: found '30d'; expected longer than lateness, or late news corrects nothing"),
        ("ssl_cafile: no.pem\nsecurity_protocol: SSL", "ssl_cafile: found '{dir}/no.pem'; expected a file"),
        (
            "lateness: 5 days",
            "lateness: found '5 days'; expected a length of time such as 30d, 12h, 5m or 10s (did you mean '5d'?)",
        ),
        (
            "partitons: 3",
            "partitons: found an unknown name; expected the name of a setting (did you mean 'partitions'?)",
        ),
    ],
)
def test_a_mistake_names_line_and_field_and_what_was_expected(tmp_path: Path, line: str, complaint: str) -> None:
    file = written(tmp_path, f"# a comment first\n{line}\n")

    assert [f"{file}:2: {complaint.format(dir=tmp_path)}"] == mistakes(config=file)


def test_a_mistake_in_a_variable_names_the_variable() -> None:
    environ = {"JOURNEY_METRICS_PORT": "99999", "JOURNEY_LATENES": "1d"}

    assert mistakes(environ=environ) == [
        "JOURNEY_LATENES: found an unknown name; expected the name of a setting (did you mean 'JOURNEY_LATENESS'?)",
        "JOURNEY_METRICS_PORT: found '99999'; expected at most 65535",
    ]


def test_variables_that_kubernetes_makes_for_a_service_are_not_settings() -> None:
    environ = {
        "JOURNEY_SERVICE_HOST": "10.0.0.1",
        "JOURNEY_PORT": "tcp://10.0.0.1:9464",
        "JOURNEY_METRICS_PORT": "tcp://10.0.0.2:9464",
        "JOURNEY_PORT_9464_TCP_ADDR": "10.0.0.1",
    }

    assert Settings() == load_settings(environ=environ)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "partitions: 0\npartitions: x\nlateness: soon\n")

    assert len(mistakes(config=file, environ={"JOURNEY_TICKS": "perhaps"})) == 4


def test_what_looks_like_a_date_is_a_text(tmp_path: Path) -> None:
    assert load_settings(written(tmp_path, "application_id: 2026-01-31\n"), {}).application_id == "2026-01-31"
    assert mistakes(config=written(tmp_path, "skew: 2026-13-45\n")) == [
        f"{tmp_path}/journey.yaml:1: skew: found '2026-13-45'; expected a length of time such as 30d, 12h, 5m or 10s"
    ]


@pytest.mark.parametrize("text", ["- a\n- b\n", "partitions: [1\n", "just text", "[" * 100_000])
def test_a_file_that_holds_no_settings_is_named(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)

    assert mistakes(config=file)[0].startswith(f"{file}:")


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert mistakes(config=tmp_path / "no.yaml") == [
        f"{tmp_path}/no.yaml: found No such file or directory; expected a readable configuration file"
    ]


def test_a_file_of_churn_parameters_is_found_beside_the_settings(tmp_path: Path) -> None:
    file = written(tmp_path, "churn: fitted.yaml\n")

    assert str(tmp_path / "fitted.yaml") == load_settings(file, {}).churn
    assert "none" == load_settings(file, {"JOURNEY_CHURN": "none"}).churn


def test_a_model_file_is_found_beside_the_settings(tmp_path: Path) -> None:
    file = written(tmp_path, "model: rules/shop.yaml\n")

    assert str(tmp_path / "rules/shop.yaml") == load_settings(file, {}).model


def test_a_password_is_never_shown() -> None:
    environ = {
        "JOURNEY_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "JOURNEY_SASL_USERNAME": "worker",
        "JOURNEY_SASL_PASSWORD": "hush-hush",
    }

    settings = load_settings(environ=environ)

    assert "hush-hush" not in repr(settings)
    assert settings.client_options()["sasl_plain_password"] == "hush-hush"


def test_credentials_without_their_protocol_are_refused() -> None:
    (complaint,) = mistakes(environ={"JOURNEY_SASL_USERNAME": "u", "JOURNEY_SASL_PASSWORD": "hush-hush"})

    assert complaint == (
        "settings: security_protocol: found nothing; "
        "expected SASL_SSL or SASL_PLAINTEXT, since a SASL user or password is given"
    )


REGISTRY = "https://registry.example:8081"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            {"username": "u"},
            "url: found nothing; expected the address of the schema registry, since more is said of it",
        ),
        ({"url": REGISTRY, "password": "p"}, "username: found nothing; expected the user of the schema registry's"),
        ({"url": REGISTRY, "username": "u"}, "password_file: found nothing; expected a file with the password of"),
        (
            {"url": "http://registry:8081", "username": "u", "password": "p"},
            "URL: found 'http://registry:8081'; expected an address that begins with https://, or with http:// on this",
        ),
        (
            {"url": REGISTRY, "username": "u", "password_file": "no-file"},
            "PASSWORD_FILE: found 'no-file'; expected a file",
        ),
        ({"url": REGISTRY, "cafile": "no-file"}, "CAFILE: found 'no-file'; expected a file"),
    ],
)
def test_what_is_said_of_a_schema_registry_has_to_fit_together(given: dict[str, str], complaint: str) -> None:
    found = mistakes(environ={f"JOURNEY_SCHEMA_REGISTRY_{name.upper()}": value for name, value in given.items()})

    assert 1 == len(found)
    assert complaint in found[0].replace("settings: schema_registry_", "").replace("JOURNEY_SCHEMA_REGISTRY_", "")


def test_a_schema_registry_without_a_password_may_be_asked_in_the_clear() -> None:
    settings = load_settings(environ={"JOURNEY_SCHEMA_REGISTRY_URL": "http://registry:8081/"})

    assert "http://registry:8081" == settings.schema_registry_url


def test_a_source_cannot_be_a_topic_that_the_worker_writes() -> None:
    (complaint,) = mistakes(environ={"JOURNEY_SOURCES": "journey.log"})

    assert complaint.startswith(
        "JOURNEY_SOURCES: found 'journey.log'; expected topics that are not journey-stream's own"
    )
