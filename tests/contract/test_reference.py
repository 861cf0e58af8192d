"""The pages of reference are those that the code writes, and name all that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from journey_stream.cli.command_line_page import command_line_page
from journey_stream.cli.main import app
from journey_stream.serve.api.markdown import http_api_page
from journey_stream.serve.api.openapi import document
from journey_stream.serve.api.operations import OPERATIONS
from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import NAMES, load_settings
from journey_stream.worker.settings_page import MEANING, settings_page, vocabulary
from tests.support.pages import ROOT

WRITTEN = {"settings.md": settings_page, "command-line.md": command_line_page, "http-api.md": http_api_page}


@pytest.mark.parametrize("page", WRITTEN)
def test_a_page_is_what_the_code_writes(page: str) -> None:
    assert WRITTEN[page]() == (ROOT / "docs" / page).read_text(encoding="utf-8"), "`make pages` writes it"


def test_every_setting_is_explained_once_and_none_is_explained_for_nothing() -> None:
    explained = [name for meanings in MEANING.values() for name in meanings]

    assert sorted(NAMES) == sorted(explained)


def test_every_default_on_the_page_is_the_default() -> None:
    defaults = {one.variable: one.default for one in vocabulary().values() if one.default is not None}

    assert load_settings(environ=defaults) == Settings()
    # A setting that has none is one that may be left out.
    assert {one.name for one in vocabulary().values() if one.default is None} == {
        name for name, field in NAMES.items() if getattr(Settings(), field) in (None, ())
    }


def _told(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Each command as typer has made it, and how its arguments and options are written."""
    for name, one in getattr(command, "commands", {}).items():
        yield from _told(one, (*words, name))
    if not hasattr(command, "commands"):
        options = {opt for one in command.params for opt in (*one.opts, *one.secondary_opts) if opt.startswith("-")}
        arguments = {(one.metavar or one.name.upper()) for one in command.params if not one.opts[0].startswith("-")}
        yield " ".join(words), options | {part for one in arguments for part in one.split("|")}


def test_every_command_has_its_section_with_all_that_it_takes() -> None:
    sections = dict(re.findall(r"^### journey-stream (.+)\n((?:.*\n)*?)(?=^##|\Z)", command_line_page(), re.MULTILINE))
    told = {
        words: set(re.findall(r"`([^`]+)`", "".join(re.findall(r"^\| (`.*?`) \| ", text, re.MULTILINE))))
        for words, text in sections.items()
    }

    made = dict(_told(typer.main.get_command(app)))

    assert made == {words: {one.removesuffix("…") for one in written} for words, written in told.items()}


def test_every_operation_and_every_answer_has_its_section() -> None:
    described = document(OPERATIONS, needs_token=True)
    page = http_api_page()

    assert set(described["paths"]) == set(re.findall(r"^`GET (.+)`$", page, re.MULTILINE))
    assert described["components"]["schemas"].keys() <= set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
