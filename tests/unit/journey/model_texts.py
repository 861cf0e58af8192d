"""A small good model as text, and what is wrong with a changed one."""

from journey_stream.journey.errors import ModelError
from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Model

GOOD = """\
model: shop
version: 1
description: A small shop
stages:
  - {id: aware, meaning: Knows us}
  - {id: warm, meaning: Looks closer, settle: 10m}
  - {id: customer, meaning: Bought}
touchpoints:
  view: {meaning: Looked, match: [{channel: web, type: [view, search]}]}
  buy: {meaning: Bought, match: [{channel: [web, store], type: buy}]}
rules:
  - {id: bought, to: customer, when: buy, text: Bought}
  - {id: looks, to: warm, after: [aware], when: {touchpoint: view, count: 2, within: 7d}, text: Looked twice}
  - {id: hello, to: aware, when: any, text: First contact}
inactivity:
  - {id: quiet, in: [warm], nothing_for: 30d, of: view, to: aware, text: Quiet}
moves: {forward: any, back: inactivity, win_back: any}
"""


def good_model() -> Model:
    return parse_model(GOOD, "shop.yaml")


def changed(old: str, new: str) -> str:
    """The good text with one place changed, which must be there."""
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def mistakes_of(text: str) -> list[tuple[int | None, str, str]]:
    """Line, field and what was found, for each mistake of a text."""
    try:
        parse_model(text, "shop.yaml")
    except ModelError as error:
        return [(mistake.line, mistake.field, mistake.found) for mistake in error.mistakes]
    return []


def message_of(text: str) -> str:
    """All that a person reads about the mistakes of a text."""
    try:
        parse_model(text, "shop.yaml")
    except ModelError as error:
        return str(error)
    return ""
