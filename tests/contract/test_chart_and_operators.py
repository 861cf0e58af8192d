"""What the Helm chart makes of Strimzi, KEDA and Prometheus says the same as the code."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from journey_stream.worker.rights import Resource, rights_of
from journey_stream.worker.topic_specs import topic_specs
from tests.support import helm
from tests.support.helm import (
    Object,
    Values,
    container,
    matches,
    of_kind,
    render,
    settings_of,
    with_a_model,
    with_values,
)
from tests.support.prometheus import promtool

ROOT = Path(__file__).parents[2]
# Strimzi's words.
KINDS = {Resource.TOPIC: "topic", Resource.GROUP: "group", Resource.TRANSACTIONAL_ID: "transactionalId"}


@pytest.fixture(scope="module")
def secured() -> list[Object]:
    """With everything that has a switch."""
    return render(helm.example("secured"))


@pytest.mark.parametrize("name", ["secured", "mutual-tls", "small"])
def test_strimzi_makes_the_topics_as_the_command_line_would(name: str, tmp_path: Path) -> None:
    values = with_a_model(name)
    values = with_values(
        values, strimzi={"cluster": "shop", "topics": {"enabled": True, **values.get("strimzi", {}).get("topics", {})}}
    )
    objects = render(values)
    settings = settings_of(objects, tmp_path)
    with_sources = values["strimzi"]["topics"].get("sources", True)

    made = {
        one["spec"]["topicName"]: (one["spec"]["partitions"], one["spec"]["replicas"], one["spec"]["config"])
        for one in of_kind(objects, "KafkaTopic")
    }

    replicas = settings.replication_factor or 3
    assert {
        spec.name: (spec.partitions, replicas, spec.configs)
        for spec in topic_specs(settings, replicas, history=False)
        if with_sources or spec.name not in settings.sources
    } == made
    assert {"keep"} == {
        one["metadata"]["annotations"]["helm.sh/resource-policy"] for one in of_kind(objects, "KafkaTopic")
    }
    assert [] == of_kind(objects, "Job")


def test_keda_looks_at_the_groups_and_topics_that_workers_read(secured: list[Object], tmp_path: Path) -> None:
    settings = settings_of(secured, tmp_path)
    scaled = {one["spec"]["scaleTargetRef"]["name"]: one["spec"] for one in of_kind(secured, "ScaledObject")}
    read = {
        name: {(one["metadata"]["consumerGroup"], one["metadata"]["topic"]) for one in spec["triggers"]}
        for name, spec in scaled.items()
    }

    assert {
        "shop-journey-stream-router": {(settings.router_group, topic) for topic in settings.inputs},
        "shop-journey-stream-tasks": {(settings.tasks_group, settings.topics.log)},
    } == read
    assert all(spec["maxReplicaCount"] <= settings.partitions for spec in scaled.values())
    for name, spec in scaled.items():
        target = helm.named(secured, spec["scaleTargetRef"]["kind"], name)
        assert "replicas" not in target["spec"], "two would turn the same wheel"


def logins(objects: list[Object]) -> dict[str, tuple[str, dict[str, str], dict[str, tuple[str, str]]]]:
    """How KEDA logs in for each object that it scales: by which mechanism, with what from the container (parameter to
    value), and with what from Secrets (parameter to name and key)."""
    known = {one["metadata"]["name"]: one["spec"] for one in of_kind(objects, "TriggerAuthentication")}
    found = {}
    for scaled in of_kind(objects, "ScaledObject"):
        target = helm.named(objects, scaled["spec"]["scaleTargetRef"]["kind"], scaled["spec"]["scaleTargetRef"]["name"])
        values = {one["name"]: one.get("value") for one in container(target)["env"]}
        (mechanism,) = {(one["metadata"].get("sasl", ""), one["metadata"]["tls"]) for one in scaled["spec"]["triggers"]}
        (name,) = {one["authenticationRef"]["name"] for one in scaled["spec"]["triggers"]}
        assert {container(target)["name"]} >= {one["containerName"] for one in known[name].get("env", ())}
        found[target["metadata"]["name"]] = (
            "/".join(mechanism),
            {one["parameter"]: values[one["name"]] for one in known[name].get("env", ())},
            {one["parameter"]: (one["name"], one["key"]) for one in known[name]["secretTargetRef"]},
        )
    return found


def test_keda_logs_in_as_the_pods_that_it_scales(secured: list[Object]) -> None:
    assert {
        name: (
            "scram_sha512/enable",
            {"username": name},
            {"password": (name, "password"), "ca": ("shop-cluster-ca-cert", "ca.crt")},
        )
        for name in ("shop-journey-stream-router", "shop-journey-stream-tasks")
    } == logins(secured)


def test_keda_gets_tokens_as_the_pods_that_it_scales() -> None:
    assert {
        "shop-journey-stream-router": (
            "oauthbearer/enable",
            {
                "username": "journey-stream",
                "oauthTokenEndpointUri": "https://login.example.org/token",
                "scopes": "kafka",
            },
            {"password": ("journey-oauth", "secret")},
        )
    } == logins(render(helm.example("by-token")))


# With a Job that makes topics, and names of every kind.
WITH_A_JOB = with_values(
    helm.example("small"),
    config={
        "application_id": "job",
        "topic_prefix": "",
        "sources": "a,b",
        "erasures_topic": "erased.for-all",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
    },
    strimzi={"cluster": "shop", "user": {"enabled": True}},
)


@pytest.mark.parametrize(
    ("values", "components"),
    [
        pytest.param(with_a_model("secured"), {"router", "tasks", "serve"}, id="with passwords"),
        pytest.param(with_a_model("mutual-tls"), {"router", "tasks", "serve"}, id="with certificates"),
        pytest.param(WITH_A_JOB, {"router", "tasks", "topics"}, id="with a job for the topics"),
    ],
)
def test_every_part_has_a_user_with_exactly_the_rights_that_it_needs(
    values: Values, components: set[str], tmp_path: Path
) -> None:
    objects = render(values)
    settings = settings_of(objects, tmp_path)
    granted = {one["metadata"]["name"]: granted_to(one) for one in of_kind(objects, "KafkaUser")}

    needed = {
        f"shop-journey-stream-{part}": sorted(
            (KINDS[right.resource], right.name, "prefix" if right.is_prefix else "literal", str(right.operation))
            for right in rights_of({"topics": "topics-create"}.get(part, part), settings)
        )
        for part in components
    }

    assert needed == granted


def granted_to(user: Object) -> list[tuple[str, str, str, str]]:
    return sorted(
        (rule["resource"]["type"], rule["resource"]["name"], rule["resource"]["patternType"], operation)
        for rule in user["spec"]["authorization"]["acls"]
        for operation in rule["operations"]
    )


def test_every_pod_logs_in_as_its_own_user(secured: list[Object]) -> None:
    users = {one["metadata"]["name"] for one in of_kind(secured, "KafkaUser")}
    pods = of_kind(secured, "Deployment", "StatefulSet")

    assert users == {one["metadata"]["name"] for one in pods}
    for pod in pods:
        env = {one["name"]: one for one in container(pod)["env"]}
        assert pod["metadata"]["name"] == env["JOURNEY_SASL_USERNAME"]["value"]
        files = helm.mounted_secrets(pod)
        assert (pod["metadata"]["name"], "password") == files[env["JOURNEY_SASL_PASSWORD_FILE"]["value"]]


def test_every_pod_has_its_own_certificate() -> None:
    objects = render(with_a_model("mutual-tls"))
    users = {one["metadata"]["name"]: one["spec"]["authentication"] for one in of_kind(objects, "KafkaUser")}
    pods = of_kind(objects, "Deployment", "StatefulSet")

    assert {one["metadata"]["name"]: {"type": "tls"} for one in pods} == users
    for pod in pods:
        assert {pod["metadata"]["name"]} == secrets_mounted(pod) - {"cluster-ca-cert"}
    (login,) = of_kind(objects, "TriggerAuthentication")
    assert {login["metadata"]["name"], "cluster-ca-cert"} == {one["name"] for one in login["spec"]["secretTargetRef"]}


def test_without_strimzi_every_pod_logs_in_as_the_values_say() -> None:
    own = with_values(helm.example("own-login"), kafka={"certificateSecret": {"name": "ours"}})
    pods = of_kind(render(own), "Deployment", "StatefulSet", "Job")

    assert 4 == len(pods)
    for pod in pods:
        env = {one["name"]: one for one in container(pod)["env"]}
        assert "journey" == env["JOURNEY_SASL_USERNAME"]["value"]
        assert ("journey-password", "password") == helm.mounted_secrets(pod)[env["JOURNEY_SASL_PASSWORD_FILE"]["value"]]
        assert {"kafka-ca", "ours", "journey-password"} == secrets_mounted(pod) - {"journey-map"}


def secrets_mounted(pod: Object) -> set[str]:
    return {name for name, _ in helm.mounted_secrets(pod).values()}


def test_the_rules_are_those_that_are_tested_for_the_job_of_this_release(secured: list[Object], tmp_path: Path) -> None:
    (rule,) = of_kind(secured, "PrometheusRule")
    (monitor,) = of_kind(secured, "ServiceMonitor")
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rule["spec"]))
    workers = helm.named(secured, "Service", "-workers")

    code, said = promtool("check", "rules", file)

    assert 0 == code, said
    job = workers["metadata"]["labels"][monitor["spec"]["jobLabel"]]
    shipped = (ROOT / "deploy/prometheus/alerts.yaml").read_text().replace('job="journey-stream"', f'job="{job}"')
    shipped = shipped.replace(": docs/runbooks", ": https://git.example.org/journey-stream/blob/main/docs/runbooks")
    assert yaml.safe_load(shipped)["groups"] == rule["spec"]["groups"]
    assert matches(monitor["spec"]["selector"]["matchLabels"], workers["metadata"]["labels"])
    assert {one["port"] for one in monitor["spec"]["endpoints"]} == {one["name"] for one in workers["spec"]["ports"]}
