"""The pages point at what is there, and their examples are what the code reads and writes."""

import json
import re
from pathlib import Path

import pytest

from journey_stream.cli.main import app
from journey_stream.events.admission import Admitted, read_touchpoint
from journey_stream.events.outputs import IdentityChange, StageChange
from tests.support.pages import PAGES, ROOT, fenced


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))

    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]

    assert broken == []


def test_the_touchpoint_in_the_readme_is_admitted() -> None:
    [example] = fenced(ROOT / "README.md", "json")

    assert isinstance(read_touchpoint(example.encode()), Admitted)


def test_the_messages_in_the_page_on_subscribing_are_what_they_seem() -> None:
    examples = fenced(ROOT / "docs" / "subscribing.md", "json")

    for example, model in zip(examples, (StageChange, IdentityChange), strict=True):
        change = model.model_validate_json(example)
        assert change.model_dump(mode="json", exclude_none=True).keys() == json.loads(example).keys()


def test_the_readme_names_only_commands_that_there_are() -> None:
    named = set(re.findall(r"^journey-stream ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    known = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}

    assert named - known == set()


def test_the_readme_names_only_make_targets_that_there_are() -> None:
    named = set(re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text()))
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert named - known == set()


def test_the_page_about_benchmarks_names_each_that_adds_to_the_results() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `benchmarks\.(\w+)` \|", page, re.MULTILINE))

    made = {file.stem for file in (ROOT / "benchmarks").glob("*.py") if '"--title"' in file.read_text(encoding="utf-8")}

    assert len(made) > 5
    assert set() == made - named


def test_every_figure_on_capacity_is_one_that_its_command_printed() -> None:
    page = (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)\n((?:.*\n)*?)(?=^## |\Z)", results, re.MULTILINE)
    rows = re.findall(r"^\| ([A-Z]\d) \| .* \| ([^|]*) \| ([^|]*) \|$", page, re.MULTILINE)
    places = re.findall(r"^((?:[A-Z]\d, )*[A-Z]\d): (.+)$", page, re.MULTILINE)
    measured = {name: figure.split(", ") for name, figure, _ in rows}

    assert len(rows) > 15
    assert measured.keys() == {name for names, _ in places for name in names.split(", ")}
    for name, figures in measured.items():
        titles = [title for names, title in places if name in names.split(", ")]
        (*texts,) = (text for title, text in sections if title in titles)
        assert len(titles) == len(texts), f"{name}: each title stands once in the results"
        found = [set(re.findall(r"\d[\d,]*(?:\.\d+)?", text)) for text in texts]
        assert set() == set(figures) - set().union(*found), name
        assert all(set(figures) & numbers for numbers in found), (
            f"{name}: one of its sections has nothing to do with it"
        )
    for name, _, command in rows:
        for module in re.findall(r"`benchmarks\.(\w+)", command):
            assert (ROOT / "benchmarks" / f"{module}.py").is_file(), name
