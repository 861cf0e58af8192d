"""The Helm chart, rendered by Helm itself."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import load_settings
from tests.support import programs
from tests.support.certificates import make_certificates

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "journey-stream"
RELEASE = "shop"
KUBERNETES = "1.31"

Values = dict[str, Any]
Object = dict[str, Any]


def example(name: str) -> Values:
    """The values of a file in the chart's `ci/`."""
    found: Values = yaml.safe_load((CHART / "ci" / f"{name}.yaml").read_text())
    return found


def with_values(values: Values, **changes: Any) -> Values:
    """Values with some of their sections changed; what a section does not name stays as it is."""
    changed = copy.deepcopy(values)
    for section, what in changes.items():
        old = changed.get(section)
        changed[section] = old | what if isinstance(old, dict) and isinstance(what, dict) else what
    return changed


def helm(values: Values, *command: str) -> tuple[int, str, str]:
    """Run `helm COMMAND… --values VALUES`: the exit code, what it prints, and what it complains of."""
    path = programs.find("helm", "go install helm.sh/helm/v3/cmd/helm@v3.19.5 builds it")
    done = subprocess.run(
        [path, *command, "--values", "-"], input=json.dumps(values), capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def render(values: Values) -> list[Object]:
    """All objects that the release has. Fails with Helm's own words."""
    code, out, err = helm(values, "template", RELEASE, str(CHART), "--kube-version", f"{KUBERNETES}.0")
    assert code == 0, err
    return [found for found in yaml.safe_load_all(out) if found]


def refusal(values: Values) -> str:
    """Why Helm does not render these values."""
    code, _, err = helm(values, "template", RELEASE, str(CHART), "--kube-version", f"{KUBERNETES}.0")
    assert code != 0
    return err


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    return [found for found in objects if found["kind"] in kinds]


def named(objects: list[Object], kind: str, suffix: str) -> Object:
    """The one object of a kind whose name ends so."""
    (found,) = [one for one in of_kind(objects, kind) if one["metadata"]["name"].endswith(suffix)]
    return found


def container(workload: Object) -> dict[str, Any]:
    """The one container of a workload."""
    (found,) = workload["spec"]["template"]["spec"]["containers"]
    return dict(found)


CUSTOM: Object = yaml.safe_load((ROOT / "tests" / "contract" / "custom_resources.yaml").read_text())
"""JSON Schemas of what operators take, by kind, beside the `$defs` that they share."""


def unlike_its_operator(found: Object) -> str | None:
    """What the schema of a custom resource has against an object: unknown fields, too."""
    schema = {**CUSTOM[found["kind"]], "$defs": CUSTOM["$defs"]}
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(found))
    return error and f"{found['kind']} {found['metadata']['name']}: {error.json_path}: {error.message}"


def unlike_kubernetes(found: Object) -> str | None:
    """What Kubernetes' own schema has against an object: unknown fields, too."""
    try:
        kubernetes_validate.validate(found, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{found['kind']} {found['metadata']['name']}: {error.message}"
    return None


SECRET = "from-elsewhere-and-long-enough-for-a-key"


def settings_of(objects: list[Object], directory: Path, part: str = "router") -> Settings:
    """The settings that a pod reads, with files where its volumes are and secrets from nowhere."""
    config = named_config(objects)
    made = make_certificates(directory)
    if "/etc/kafka/" in config["journey.yaml"]:
        places = {"ca/ca.crt": made.authority, "user/user.crt": made.client, "user/user.key": made.client_key}
        for place, path in places.items():
            config["journey.yaml"] = config["journey.yaml"].replace(f"/etc/kafka/{place}", str(path))
    for file, text in config.items():
        (directory / file).write_text(text)
    workload = workload_of(objects, part)
    environ = {
        one["name"]: one.get("value", "from-elsewhere")
        for one in container(workload)["env"]
        if one["name"] != "JOURNEY_CONFIG"
    }
    secrets = mounted_secrets(workload)
    for variable, value in environ.items():
        if value in secrets:
            path = directory / variable.lower()
            path.write_text(made.authority.read_text() if "CAFILE" in variable else f"{SECRET}-{variable.lower()}")
            environ[variable] = str(path)
    return load_settings(directory / "journey.yaml", environ)


def workload_of(objects: list[Object], part: str) -> Object:
    kind = {"router": "Deployment", "topics": "Job"}.get(part, "StatefulSet")
    (found,) = [one for one in of_kind(objects, kind) if container(one)["name"] == part]
    return found


def mounted_secrets(workload: Object) -> dict[str, tuple[str, str]]:
    """The files that a container has of Secrets: by their path, name and key of the Secret. All are read-only."""
    mounts = {one["name"]: one for one in container(workload)["volumeMounts"]}
    found = {}
    for volume in workload["spec"]["template"]["spec"]["volumes"]:
        sources = [one["secret"] for one in volume.get("projected", {}).get("sources", ())]
        sources += [volume["secret"] | {"name": volume["secret"]["secretName"]}] if "secret" in volume else []
        for source in sources:
            mount = mounts[volume["name"]]
            assert mount["readOnly"] is True
            for item in source["items"]:
                found[f"{mount['mountPath']}/{item['path']}"] = source["name"], item["key"]
    return found


def named_config(objects: list[Object]) -> dict[str, str]:
    (found,) = [one for one in of_kind(objects, "ConfigMap") if "journey.yaml" in one["data"]]
    return dict(found["data"])


def with_a_model(name: str) -> Values:
    values = example(name)
    if "model" in values:
        values["model"] = (ROOT / "src/journey_stream/journey/presets/four-stages.yaml").read_text()
    return values


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()
