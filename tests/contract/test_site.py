"""The site is whole, asks nobody else for anything, and the commands on its pages are commands."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer.main

from journey_stream.cli.main import app
from tests.support.pages import PAGES, ROOT, blocks, commands, fenced, prose

COMMANDS = typer.main.get_command(app)


def built(directory: Path, **environ: str) -> Path:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(directory)]
    variables = {name: value for name, value in os.environ.items() if name != "SITE_REPOSITORY"}
    variables |= {"NO_MKDOCS_2_WARNING": "1", **environ}
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=variables)
    assert made.returncode == 0, made.stdout + made.stderr
    return directory


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("site"))


def test_every_page_is_in_the_site(site: Path) -> None:
    pages = {page.relative_to(ROOT / "docs").with_suffix("") for page in PAGES if ROOT / "docs" in page.parents}
    made = {page.relative_to(site).with_suffix("") for page in site.rglob("*.html")}

    # A page named README is the first of its directory.
    assert set() == {page.parent / page.name.replace("README", "index") for page in pages} - made


def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    loads = re.compile(r"<(?:script|img|iframe)[^>]*\ssrc=[\"']?https?://|<link[^>]*rel=[\"']?stylesheet[^>]*https?://")

    assert [] == [page.name for page in site.rglob("*.html") if loads.search(page.read_text(encoding="utf-8"))]


def test_no_link_leads_nowhere(site: Path) -> None:
    pages = {page: _Page.read(page) for page in site.rglob("*.html")}

    assert len(pages) > 40
    assert [] == [
        f"{page.relative_to(site)}: {link}"
        for page, read in pages.items()
        for link in read.links
        if not _leads_somewhere(page, link, site, pages)
    ]


def test_with_the_address_of_the_repository_links_lead_to_its_files(tmp_path: Path) -> None:
    repository = "https://git.example.org/journey-stream"

    pages = [_Page.read(page) for page in built(tmp_path, SITE_REPOSITORY=repository).rglob("*.html")]

    links = {link for page in pages for link in page.links if link.startswith(repository)}
    parts = {link: re.fullmatch(rf"{repository}/(tree|blob)/main/([^#]+)(#.+)?", link) for link in links}
    assert f"{repository}/blob/main/README.md#limits" in links
    assert {f"{repository}/tree/main/schemas", f"{repository}/blob/main/deploy/prometheus/alerts.yaml"} <= links
    assert [] == [link for link, one in parts.items() if not (one and (ROOT / one[2]).exists())]
    assert [] == [link for link, one in parts.items() if one and (ROOT / one[2]).is_dir() is not (one[1] == "tree")]


def test_the_commands_of_the_first_page_run(tmp_path: Path) -> None:
    page = ROOT / "docs" / "index.md"
    (example,) = (block for block in blocks(page) if block.title)
    (tmp_path / example.title).write_text(example.text, encoding="utf-8")

    for line in "".join(fenced(page, "sh")).splitlines():
        name, *arguments = shlex.split(line)
        assert name == "journey-stream"
        command = [sys.executable, "-m", "journey_stream.cli.main", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"

    changes = (tmp_path / "results" / "stage-changes.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(changes) == 3


def test_what_the_tutorial_shows_of_ada_is_what_comes_of_its_files(tmp_path: Path) -> None:
    page = ROOT / "docs" / "tutorial.md"
    files = {block.title: block.text for block in blocks(page) if block.language == "json"}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    simulate = [sys.executable, "-m", "journey_stream.cli.main", "simulate", *files, "--order", "file", "--out", "out"]
    subprocess.run([*simulate, "--as-of", "2026-04-01"], cwd=tmp_path, capture_output=True, check=True)
    written = (tmp_path / "out" / "stage-changes.jsonl").read_text(encoding="utf-8").splitlines()
    changes = [change for change in map(json.loads, written) if change["profile_id"] == "ada"]

    row = r"^(\d+) +(\S+ \S+) +([→✗]) +(\S+) → (\w+)(?: retracted)? .*?([A-Z]\D*) \((\S+)\)\n +evidence: (.*)$"
    shown = re.findall(row, "".join(fenced(page, "")), re.MULTILINE)

    assert shown == [
        (
            str(change["revision"]),
            change["entered_at"].replace("T", " ").removesuffix(".000Z"),
            "→" if change["kind"] == "entered" else "✗",
            change["from_stage"] or "(new)",
            change["to_stage"],
            change["because"]["text"],
            change["because"]["rule"],
            " ".join(change["because"]["evidence"]),
        )
        for change in changes
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_a_page_is_one_that_there_is(page: Path) -> None:
    wrong = [f"{line}: {reason}" for line in _commands(page) if (reason := _refused(line))]

    assert [] == wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_stand_in_blocks_in_which_they_are_looked_for(page: Path) -> None:
    command = r"(?:\$ )?(?:journey-stream|kafka-\S+\.sh|docker|kubectl|helm|promtool|faust|pip|pytest|make) .*"
    others = "".join(block.text for block in blocks(page) if block.language != "sh")

    astray = re.findall(rf"^{command}", others, re.MULTILINE) + re.findall(
        rf"^ {{4,}}{command}", prose(page), re.MULTILINE
    )

    assert [] == astray, "a block of commands begins with ```sh"


class _Page(HTMLParser):
    """Where the links of a page lead, and what one can point at in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {""}

    @classmethod
    def read(cls, page: Path) -> _Page:
        found = cls()
        found.feed(page.read_text(encoding="utf-8"))
        return found

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        self.links += [link for name in ("href", "src") if (link := given.get(name))]


def _leads_somewhere(page: Path, link: str, site: Path, pages: dict[Path, _Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return parts.scheme in {"http", "https", "data"}
    path = unquote(parts.path)
    # The page for what is not found is shown wherever that is, so its links begin at the root.
    target = site / path[1:] if path.startswith("/") else (page.parent / path).resolve() if path else page
    if target.is_dir():
        target /= "index.html"
    return target.is_file() and (target not in pages or unquote(parts.fragment) in pages[target].anchors)


def _commands(page: Path) -> list[str]:
    """What the page has one tell journey-stream, without what a shell does around it."""
    lines = (command.replace("\\\n", " ") for command in commands(page))
    found = (re.match(r"\s*(?:[A-Z_]+=\S+ )*journey-stream (.*)", line) for line in lines)
    return [re.split(r"\s(?:[|>&#]|2>|\|\|)", one[1])[0].strip() for one in found if one]


def _refused(line: str) -> str | None:
    """Why the command line would not be understood; None if it would."""
    arguments, command = shlex.split(line), COMMANDS
    context = command.context_class(command)
    while (commands := getattr(command, "commands", None)) is not None:
        if not arguments or arguments[0] not in commands:
            return None if arguments in (["--help"], ["--version"]) else f"no command {arguments[:1]}"
        command, arguments = commands[arguments[0]], arguments[1:]
        context = command.context_class(command, parent=context)
    try:
        _, left, _ = command.make_parser(context).parse_args(args=arguments)
    except Exception as error:  # noqa: BLE001 - typer carries its own click, whose errors have no public name
        return str(getattr(error, "message", error))
    return f"nothing takes {left}" if left else None


@pytest.mark.parametrize("line", ["nonsense", "model", "model nonsense x", "serve --nonsense", "worker one"])
def test_what_is_no_command_is_noticed(line: str) -> None:
    assert _refused(line)
