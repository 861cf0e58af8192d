"""The files that people copy say the same as the code."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import NAMES, load_settings
from journey_stream.worker.topic_script import topic_script

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "journey.example.yaml"
SCRIPT = ROOT / "deploy" / "kafka" / "create-topics.sh"


def test_the_script_that_creates_topics_is_the_generated_one() -> None:
    assert topic_script(Settings(), replicas=1) == SCRIPT.read_text()
    assert SCRIPT.stat().st_mode & stat.S_IXUSR


def test_the_example_names_every_setting_with_its_default(tmp_path: Path) -> None:
    named = re.findall(r"^# ([a-z_]+):(?: (.*))?$", EXAMPLE.read_text(), re.MULTILINE)
    file = tmp_path / "journey.yaml"
    file.write_text("".join(f"{name}: {value}\n" for name, value in named))

    settings = load_settings(file, {})

    assert set(NAMES) == {name for name, _ in named}
    assert Settings() == settings


def test_an_example_with_nothing_uncommented_is_the_defaults() -> None:
    assert Settings() == load_settings(EXAMPLE, {})
