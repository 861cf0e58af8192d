"""What the Helm chart renders is what Kubernetes takes, and says the same as the code."""

from __future__ import annotations

import copy
import functools
import operator
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import DURATIONS, PATHS, SECRETS
from scripts.chart.__main__ import DECIDED, DIRECTORY, files
from tests.support import helm
from tests.support.helm import (
    Object,
    Values,
    container,
    matches,
    named_config,
    of_kind,
    refusal,
    render,
    settings_of,
    with_a_model,
    with_values,
)

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(file.stem for file in (helm.CHART / "ci").glob("*.yaml"))
WORKLOADS = ("Deployment", "StatefulSet", "Job")
CUSTOM = {
    "KafkaTopic": "kafka.strimzi.io/v1",
    "KafkaUser": "kafka.strimzi.io/v1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "ScaledObject": "keda.sh/v1alpha1",
    "TriggerAuthentication": "keda.sh/v1alpha1",
}

each_example = pytest.mark.parametrize("name", EXAMPLES)


@pytest.fixture(scope="module")
def secured() -> list[Object]:
    """With everything that has a switch."""
    return render(helm.example("secured"))


def test_what_the_chart_takes_over_from_the_code_is_what_the_code_says() -> None:
    assert files() == {path: (DIRECTORY / path).read_text() for path in files()}
    assert {file for file in files() if "dashboards" in file} == {
        str(file.relative_to(DIRECTORY)) for file in (DIRECTORY / "files" / "dashboards").iterdir()
    }


@each_example
def test_helm_finds_nothing_wrong(name: str) -> None:
    code, out, err = helm.helm(helm.example(name), "lint", str(helm.CHART))

    assert 0 == code, out + err


@each_example
def test_kubernetes_takes_every_object_down_to_its_last_field(name: str) -> None:
    objects = [one for one in render(with_a_model(name)) if one["kind"] not in CUSTOM]

    assert objects
    assert [] == [complaint for one in objects if (complaint := helm.unlike_kubernetes(one))]


def test_objects_of_operators_are_of_the_versions_that_they_serve(secured: list[Object]) -> None:
    assert CUSTOM == {one["kind"]: one["apiVersion"] for one in secured if one["kind"] in CUSTOM}


@each_example
def test_operators_take_every_object_of_theirs_down_to_its_last_field(name: str) -> None:
    objects = [one for one in render(with_a_model(name)) if one["kind"] in CUSTOM]

    assert [] == [complaint for one in objects if (complaint := helm.unlike_its_operator(one))]


def test_a_field_that_an_operator_does_not_know_is_noticed_wherever_it_stands(secured: list[Object]) -> None:
    first = {one["kind"]: one for one in reversed(secured) if one["kind"] in CUSTOM}

    assert CUSTOM.keys() == first.keys() == helm.CUSTOM.keys() - {"$defs"}
    for kind, found in first.items():
        # Labels, and what stands beside them, may have any names.
        places = [place for place in mappings(found) if not {"labels", "matchLabels", "annotations"} & set(place)]
        assert len(places) > 2
        for place in places:
            changed = copy.deepcopy(found)
            functools.reduce(operator.getitem, place, changed)["nonsense"] = "x"
            assert "nonsense" in (helm.unlike_its_operator(changed) or ""), f"{kind} {place}"


def mappings(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where in an object there are names with values."""
    if isinstance(value, dict):
        yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from mappings(one, (*place, name))


@each_example
def test_no_two_objects_have_one_name(name: str) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in render(helm.example(name))]

    assert len(set(names)) == len(names)


@each_example
def test_every_container_is_without_rights_and_cannot_write_its_root(name: str) -> None:
    pods = [one["spec"]["template"]["spec"] for one in of_kind(render(helm.example(name)), *WORKLOADS)]

    confined = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert {"RuntimeDefault"} == {pod["securityContext"]["seccompProfile"]["type"] for pod in pods}
    assert {(True, 10001)} == {
        (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) for pod in pods
    }
    assert {False} == {pod["automountServiceAccountToken"] for pod in pods}
    assert [confined] * len(pods) == [one["securityContext"] for pod in pods for one in pod["containers"]]
    assert all(one["resources"]["limits"]["memory"] for pod in pods for one in pod["containers"])


@each_example
def test_every_service_is_probed_where_it_answers(name: str, tmp_path: Path) -> None:
    objects = render(with_a_model(name))
    settings = settings_of(objects, tmp_path)
    ports = {"router": settings.metrics_port, "tasks": settings.metrics_port, "serve": settings.serve_port}

    for workload in of_kind(objects, "Deployment", "StatefulSet"):
        one = container(workload)
        (port,) = one["ports"]
        assert ports[one["name"]] == port["containerPort"]
        for probe, path in (("startup", "/healthz"), ("liveness", "/healthz"), ("readiness", "/readyz")):
            assert {"path": path, "port": port["name"]} == one[f"{probe}Probe"]["httpGet"]
    assert "0.0.0.0" == settings.metrics_host == settings.serve_host


@each_example
def test_the_settings_are_ones_that_a_worker_starts_with(name: str, tmp_path: Path) -> None:
    values = with_a_model(name)

    settings = settings_of(render(values), tmp_path)

    written = values["config"]
    assert tuple(written["bootstrap_servers"]) == settings.bootstrap_servers
    assert written.get("security_protocol", "PLAINTEXT") == settings.security_protocol
    assert "json" == settings.log_format
    assert (str(tmp_path / "model.yaml") if "model" in values else "six-stages") == settings.model


def test_the_volume_of_the_map_is_where_its_database_is(secured: list[Object], tmp_path: Path) -> None:
    mounts = {
        one["name"]: one["mountPath"] for one in container(helm.named(secured, "StatefulSet", "-serve"))["volumeMounts"]
    }

    assert Path(mounts["data"]) == Path(settings_of(secured, tmp_path).serve_database).parent


@each_example
def test_secrets_are_files_that_cannot_be_written_and_no_variables(name: str) -> None:
    objects = render(with_a_model(name))

    for workload in of_kind(objects, *WORKLOADS):
        one, files = container(workload), helm.mounted_secrets(workload)
        assert [] == [env for env in one["env"] if "secretKeyRef" in env.get("valueFrom", {})]
        assert "envFrom" not in one
        named = {env["value"] for env in one["env"] if env["name"].endswith(("_FILE", "_CAFILE"))}
        assert named == {path for path in files if path.startswith("/etc/secrets/")}
        for volume in workload["spec"]["template"]["spec"]["volumes"]:
            # For the user of the container, by its group, and for nobody else.
            assert 0o440 == volume.get("projected", {"defaultMode": 0o440})["defaultMode"]
    assert not SECRETS & set(yaml.safe_load(named_config(objects)["journey.yaml"]))


def test_every_secret_of_the_values_is_where_the_setting_says(secured: list[Object], tmp_path: Path) -> None:
    expected = {
        "sasl_password_file": ("shop-journey-stream-router", "password"),
        "pseudonym_key_file": ("journey-keys", "pseudonyms"),
        "erasure_key_file": ("journey-keys", "erasures"),
        "schema_registry_password_file": ("shop-registry", "password"),
    }
    router = helm.workload_of(secured, "router")

    assert {f"/etc/secrets/{name}": secret for name, secret in expected.items()}.items() <= (
        helm.mounted_secrets(router).items()
    )
    settings = settings_of(secured, tmp_path)
    for name in expected:
        assert helm.SECRET in getattr(settings, name).read_text()


@pytest.mark.parametrize("part", ["router", "tasks", "serve", "topics"])
def test_with_tokens_of_an_identity_provider_every_part_has_the_secret_of_the_client(part: str, tmp_path: Path) -> None:
    values = helm.with_values(
        helm.example("by-token"),
        kafka={"oauthCaSecret": {"name": "login-ca"}},
        router={"autoscaling": {"enabled": False}},
    )
    objects = render(values)

    settings = settings_of(objects, tmp_path, part)

    files = helm.mounted_secrets(helm.workload_of(objects, part))
    assert ("journey-oauth", "secret") == files["/etc/secrets/oauth_client_secret_file"]
    assert ("login-ca", "ca.crt") == files["/etc/secrets/oauth_cafile"]
    assert ("OAUTHBEARER", "journey-stream", "kafka") == (
        settings.sasl_mechanism,
        settings.oauth_client_id,
        settings.oauth_scope,
    )
    assert settings.oauth_client_secret_file
    assert settings.oauth_cafile
    assert "sasl_oauth_token_provider" in settings.client_options()


def test_tokens_of_the_map_are_in_the_pod_of_the_map_alone(tmp_path: Path) -> None:
    objects = render(helm.example("by-token"))
    tokens = {"/etc/secrets/serve_token_file", "/etc/secrets/serve_admin_token_file"}

    settings = {}
    for part in ("router", "tasks", "serve", "topics"):
        (tmp_path / part).mkdir()
        settings[part] = settings_of(objects, tmp_path / part, part)
        mounted = helm.mounted_secrets(helm.workload_of(objects, part))
        assert (tokens if part == "serve" else set()) == tokens & set(mounted)

    assert {"router": "read", "tasks": "read", "topics": "read", "serve": "admin"} == {
        part: one.serve_customers for part, one in settings.items()
    }
    assert 1 == len(settings["serve"].read_tokens) == len(settings["serve"].admin_tokens)
    assert settings["serve"].read_tokens.isdisjoint(settings["serve"].admin_tokens)


def test_a_pod_of_tasks_keeps_its_name_in_the_group(secured: list[Object], tmp_path: Path) -> None:
    env = {one["name"]: one for one in container(helm.named(secured, "StatefulSet", "-tasks"))["env"]}

    settings = settings_of(secured, tmp_path, "tasks")

    assert {"fieldRef": {"fieldPath": "metadata.name"}} == env["JOURNEY_GROUP_INSTANCE_ID"]["valueFrom"]
    assert settings.transaction_timeout_ms > settings.session_timeout_ms > Settings().session_timeout_ms
    assert "JOURNEY_GROUP_INSTANCE_ID" not in {
        one["name"] for one in container(helm.named(secured, "Deployment", "-router"))["env"]
    }


def test_without_static_membership_nothing_of_it_is_left() -> None:
    tasks = helm.named(render(helm.example("mutual-tls")), "StatefulSet", "-tasks")

    assert {"JOURNEY_CONFIG"} == {one["name"] for one in container(tasks)["env"]}


@each_example
def test_selectors_find_what_they_are_for(name: str) -> None:
    objects = render(helm.example(name))
    pods = {
        container(one)["name"]: one["spec"]["template"]["metadata"]["labels"] for one in of_kind(objects, *WORKLOADS)
    }

    def found(selector: dict[str, str]) -> set[str]:
        return {part for part, labels in pods.items() if matches(selector, labels)}

    services = {one["metadata"]["name"]: found(one["spec"]["selector"]) for one in of_kind(objects, "Service")}
    workers = services.pop("shop-journey-stream-workers")
    assert {"router", "tasks"} == workers
    assert all({"serve"} == parts for parts in services.values())
    for budget in of_kind(objects, "PodDisruptionBudget"):
        part = budget["metadata"]["name"].rsplit("-", 1)[1]
        assert {part} == found(budget["spec"]["selector"]["matchLabels"])
    for workload in of_kind(objects, "Deployment", "StatefulSet"):
        assert {container(workload)["name"]} == found(workload["spec"]["selector"]["matchLabels"])
    for workload in of_kind(objects, "StatefulSet"):
        assert workload["spec"]["serviceName"] in {one["metadata"]["name"] for one in of_kind(objects, "Service")}


def test_a_change_of_the_settings_makes_the_pods_anew_and_another_job(tmp_path: Path) -> None:
    values = helm.example("small")
    before, after = render(values), render(with_values(values, config={"partitions": 16}))

    def marks(objects: list[Object]) -> set[str]:
        return {
            one["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]
            for one in of_kind(objects, "Deployment", "StatefulSet")
        }

    assert 1 == len(marks(before)) == len(marks(after))
    assert marks(before) != marks(after)
    assert of_kind(before, "Job")[0]["metadata"]["name"] != of_kind(after, "Job")[0]["metadata"]["name"]
    assert 16 == settings_of(after, tmp_path).partitions


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config": {"bootstrap_servers": []}}, "config.bootstrap_servers: name your brokers"),
        ({"config": {"partitons": 16}}, "partitons"),
        ({"config": {"sasl_password": "hush"}}, "sasl_password"),
        ({"serve": {"enabled": True}}, "serve.tokenSecret.name: the map shows customers"),
        ({"strimzi": {"user": {"enabled": True}}}, "strimzi.cluster: name the Kafka resource"),
        ({"rooter": {"replicas": 3}}, "rooter"),
        ({"tasks": {"autoscaling": {"enabled": True, "cooldownSeconds": 3601}}}, "cooldownSeconds"),
        ({"router": {"autoscaling": {"enabled": False, "cooldownSeconds": 0}}}, "cooldownSeconds"),
        (
            {
                "kafka": {"passwordSecret": {"name": "shared"}},
                "strimzi": {"cluster": "shop", "user": {"enabled": True}},
            },
            "strimzi.user.enabled: each part logs in as a user of its own",
        ),
        (
            {
                "kafka": {"oauthClientSecret": {"name": "shared"}},
                "strimzi": {"cluster": "shop", "user": {"enabled": True}},
            },
            "strimzi.user.enabled: each part logs in as a user of its own",
        ),
        (
            {"config": {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}},
            "kafka.oauthClientSecret.name: config.sasl_mechanism OAUTHBEARER wants a Secret",
        ),
        (
            {
                "config": {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"},
                "kafka": {"oauthClientSecret": {"name": "client"}, "oauthCaSecret": {"name": "authority"}},
                "router": {"autoscaling": {"enabled": True}},
            },
            "router.autoscaling: KEDA trusts only the authorities of its system",
        ),
        (
            {
                "config": {"security_protocol": "SASL_SSL", "sasl_username": "journey"},
                "tasks": {"autoscaling": {"enabled": True}},
            },
            "tasks.autoscaling: KEDA logs in as the pods do; name kafka.passwordSecret",
        ),
    ],
)
def test_a_mistake_is_told_before_anything_is_installed(changes: Values, said: str) -> None:
    assert said in refusal(with_values(helm.example("small"), **changes))


def test_the_longest_cooldown_makes_windows_that_kubernetes_takes() -> None:
    values = with_values(helm.example("small"), tasks={"autoscaling": {"enabled": True, "cooldownSeconds": 3600}})

    (scaled,) = of_kind(render(values), "ScaledObject")

    down = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    # An hour and half an hour are the most that a HorizontalPodAutoscaler may have.
    assert (3600, 1800) == (down["stabilizationWindowSeconds"], down["policies"][0]["periodSeconds"])


def test_every_setting_can_be_given_but_secrets_and_what_the_chart_decides() -> None:
    usual = Settings().model_dump(mode="json", by_alias=True)
    ours = DECIDED | SECRETS | PATHS

    config = {name: "30s" if name in DURATIONS else value for name, value in usual.items() if name not in ours}

    render(with_values(helm.example("small"), config=config | {"bootstrap_servers": ["kafka:9092"]}))
    assert all(name in refusal(with_values(helm.example("small"), config={name: "x"})) for name in sorted(ours)[:3])


def test_the_values_on_the_page_about_deploying_are_ones_that_helm_takes() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text()
    blocks = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)]

    kinds = [{one["kind"] for one in render(with_values(helm.example("small"), **block))} for block in blocks]

    assert 5 == len(kinds)
    assert {"StatefulSet", "PrometheusRule", "KafkaUser", "ScaledObject"} <= set().union(*kinds)
