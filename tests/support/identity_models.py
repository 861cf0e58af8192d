"""Journey models in which one sees whom a touchpoint belongs to."""

from dataclasses import replace

from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Identity, Model

LEDGER = """
model: ledger
version: 1
description: Every touchpoint is a change of stage, so that the history lists them all.
stages:
  - {id: odd, meaning: an odd number of touchpoints}
  - {id: even, meaning: an even number of touchpoints}
touchpoints:
  buy: {meaning: bought, match: [{type: buy}]}
rules:
  - {id: even, to: even, after: [odd], when: any, text: one more}
  - {id: odd, to: odd, when: any, text: one more}
moves: {forward: any, back: any, win_back: any}
"""


def ledger(identity: Identity | None) -> Model:
    """The model whose history lists every touchpoint of a profile."""
    return with_identity(parse_model(LEDGER, "ledger.yaml"), identity)


def with_identity(model: Model, identity: Identity | None) -> Model:
    """The model with other rules of who is who."""
    return replace(model, identity=identity)
