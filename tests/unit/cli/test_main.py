import os
import subprocess
import sys

import pytest

from journey_stream import __version__
from journey_stream.cli.main import app
from tests.unit.cli.conftest import Run

COMMANDS = (
    *("demo", "worker", "serve", "topics", "acls", "dead-letters", "explain", "identity", "export", "erase"),
    *("replay", "simulate", "attribution"),
    *("churn", "model", "schemas"),
)
# What takes long to import, and so has no place on the way to `--help`.
HEAVY = ("aiokafka", "faust", "mode", "pydantic", "yaml", "pandas", "pyarrow", "prometheus_client", "msgspec")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_is_there(run: Run, command: str) -> None:
    ran = run(command, "--help")

    assert ran.code == 0
    assert f"Usage: journey-stream {command}" in ran.out


def test_these_are_all_commands() -> None:
    known = [one.name for one in (*app.registered_commands, *app.registered_groups)]

    assert sorted(COMMANDS) == sorted(map(str, known))


def test_help_names_every_command(run: Run) -> None:
    ran = run("--help")

    assert [command for command in COMMANDS if f" {command} " not in ran.out] == []


def test_no_command_at_all_shows_the_help(run: Run) -> None:
    ran = run()

    assert ran.code == 2
    assert "Usage: journey-stream" in ran.out + ran.err


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version").out == f"{__version__}\n"


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("simulate",), ("simulate", "x.jsonl", "--order", "colour", "--out", "o")]
)
def test_wrong_usage_ends_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).code == 2


def test_a_broker_that_does_not_answer_is_one_message_without_a_traceback(run: Run) -> None:
    ran = run("topics", "check", "--bootstrap-servers", "127.0.0.1:1")

    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.startswith("journey-stream: No Kafka broker answers at 127.0.0.1:1")
    assert len(ran.err.splitlines()) == 1


def test_settings_that_cannot_be_used_are_all_named(run: Run) -> None:
    ran = run("topics", "check", "--bootstrap-servers", "")

    assert ran.code == 1
    assert "--bootstrap-servers" in ran.err


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from journey_stream.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout.splitlines()[-1] == "HEAVY []"


def test_the_module_runs_as_a_program() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "journey_stream.cli.main", "--version"], capture_output=True, text=True, check=True
    )

    assert ran.stdout == f"{__version__}\n"


def test_what_the_terminal_cannot_show_is_an_escape() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "journey_stream.cli.main", "model", "show", "six-stages"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert rb"\u2265" in ran.stdout


def test_a_reader_that_goes_away_is_no_error_of_ours() -> None:
    ran = subprocess.run(
        [f"{sys.executable} -m journey_stream.cli.main model show six-stages | head -1"],
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.startswith("# six-stages")
    assert ran.stderr == ""
