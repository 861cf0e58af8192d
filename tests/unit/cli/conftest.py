from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from journey_stream.cli.main import main


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]

TWO_STAGES = """\
model: shop
version: 3
stages: [{id: visitor, meaning: Came by}, {id: customer, meaning: Bought}]
touchpoints:
  visit: {meaning: Came by, match: [{channel: web}]}
  purchase: {meaning: Bought, match: [{channel: store, type: purchase}]}
rules:
  - {id: bought, to: customer, when: purchase, text: Bought something}
  - {id: came-by, to: visitor, when: visit, text: Came by}
"""


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """The command line in an empty directory, without settings of the machine it runs on."""
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))
    for name in ("JOURNEY_CONFIG", "JOURNEY_BOOTSTRAP_SERVERS", "JOURNEY_MODEL"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str | Path) -> Ran:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        code = exit_.value.code
        captured = capsys.readouterr()
        return Ran(0 if code is None else int(code), captured.out, captured.err)

    return run


async def granted(*_: object) -> None:
    """The check of rights, of a broker that lets us do everything."""
