"""What journey-stream is to do in a measurement. A shipped preset does everything; other systems decide stages only."""

from dataclasses import replace
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from journey_stream.churn.load import NONE
from journey_stream.journey.load import preset
from journey_stream.journey.model import Model

PRESET = "six-stages"
CHURN = "completejourney"


class Features(NamedTuple):
    """What is decided besides stages. `churn` names the parameters of churn risk."""

    segments: bool = False
    identity: bool = False
    churn: str = NONE

    @property
    def model(self) -> Model:
        """The preset with these features alone."""
        whole = preset(PRESET)
        return replace(
            whole,
            segments=whole.segments if self.segments else (),
            identity=whole.identity if self.identity else None,
        )

    @property
    def model_file(self) -> str:
        """The same as a model file."""
        text = (files("journey_stream.journey") / "presets" / f"{PRESET}.yaml").read_text(encoding="utf-8")
        document: dict[str, Any] = yaml.safe_load(text)
        if not self.segments:
            document.pop("segments", None)
        if not self.identity:
            document["identity"] = "off"
        return yaml.safe_dump(document, sort_keys=False)

    def __str__(self) -> str:
        return (
            f"stages of {PRESET}, segments {_on(self.segments)}, identity {_on(self.identity)}, "
            f"churn risk {'off' if self.churn == NONE else f'on ({self.churn})'}"
        )


STAGES = Features()
IDENTITY = Features(identity=True)
FULL = Features(segments=True, identity=True, churn=CHURN)
FULL_NO_CHURN = FULL._replace(churn=NONE)
BY_NAME = {"stages": STAGES, "identity": IDENTITY, "full": FULL}


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"
