"""Random models survive being written and read; random damage is always told as mistakes."""

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from journey_stream.journey.conditions import OPERATORS
from journey_stream.journey.durations import DURATION_MS_MAX, format_duration
from journey_stream.journey.errors import Mistake, ModelError
from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Model
from journey_stream.journey.segments import BANDS
from tests.unit.journey.model_texts import GOOD

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,12}", fullmatch=True)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co", "Zl", "Zp"]), min_size=1
).filter(lambda text: bool(text.strip()) and "\ufeff" not in text)
LABELS = st.text("abc é_1", min_size=1, max_size=8).filter(lambda text: bool(text.strip()))
NUMBERS = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False, width=32)
SCALARS = NUMBERS | st.booleans() | LABELS
DURATIONS = st.integers(1, DURATION_MS_MAX).map(format_duration)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in draw(st.sets(st.sampled_from(["value", "currency", "properties.x", "properties.a.b"]), min_size=1)):
        values = {"value": NUMBERS, "currency": LABELS}.get(field, SCALARS)
        operators = ["eq", "ne", "in", "exists"] if field == "currency" else list(OPERATORS)
        operations: dict[str, Any] = {}
        for op in draw(st.sets(st.sampled_from(operators), min_size=1)):
            by_op = {
                "in": st.lists(values, min_size=1, max_size=3),
                "exists": st.booleans(),
                "eq": values,
                "ne": values,
            }
            operations[op] = draw(by_op.get(op, NUMBERS))
        shorthand = draw(st.booleans())
        found[field] = operations.get("in", operations.get("eq", operations)) if shorthand else operations
    return found


@st.composite
def whens(draw: st.DrawFn, kinds: list[str]) -> Any:
    @st.composite
    def atoms(draw: st.DrawFn) -> dict[str, Any]:
        atom: dict[str, Any] = {"touchpoint": draw(st.sampled_from(kinds))}
        optional = {"count": st.integers(1, 1_000), "within": DURATIONS, "where": conditions()}
        for key in draw(st.sets(st.sampled_from(sorted(optional)))):
            atom[key] = draw(optional[key])
        return atom

    leaves = st.sampled_from(kinds) | atoms()
    nested = st.recursive(
        leaves,
        lambda inner: st.builds(
            lambda word, parts: {word: parts}, st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=2)
        ),
        max_leaves=5,
    )
    return draw(nested)


@st.composite
def segments(draw: st.DrawFn, stages: list[str], kinds: list[str]) -> list[dict[str, Any]]:
    kind, scores = st.sampled_from(kinds), st.integers(1, 5)
    fields = {
        "where": conditions(),
        "at_least": st.integers(1, 1_000),
        "at_most": st.integers(1_000, 2_000),
        "last_within": DURATIONS,
        "known_for": DURATIONS,
    }
    pairs = [{"not_followed_by": kind, "for": DURATIONS}, {"back_after": DURATIONS, "back_within": DURATIONS}, {}]
    touchpoint = st.sampled_from(pairs).flatmap(
        lambda pair: st.fixed_dictionaries({"touchpoint": kind, **pair}, optional=fields)
    )
    leaves = st.one_of(
        kind,
        touchpoint,
        st.fixed_dictionaries({"stage": st.lists(st.sampled_from(stages), min_size=1, unique=True)}),
        st.fixed_dictionaries({"risk": st.lists(st.sampled_from(BANDS), min_size=1, unique=True)}),
        st.fixed_dictionaries(
            {"rfm": st.fixed_dictionaries({"recency": scores}, optional={"monetary": scores.map(lambda n: {"gte": n})})}
        ),
    )
    nested = st.recursive(
        leaves,
        lambda inner: st.builds(
            lambda word, parts: {word: parts}, st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=2)
        ),
        max_leaves=4,
    )
    ids = draw(st.lists(NAMES, max_size=3, unique=True))
    return [{"id": name, "meaning": draw(TEXTS), "when": draw(nested)} for name in ids]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents whose stages are all reachable, because a rule for everybody leads to each."""
    stages = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    kinds = draw(st.lists(NAMES.filter(lambda name: name != "any"), min_size=1, max_size=3, unique=True))
    rule_ids = draw(st.lists(NAMES, min_size=2 * len(stages), max_size=2 * len(stages), unique=True))
    labels = st.lists(LABELS, min_size=1, max_size=2, unique=True)
    patterns = st.fixed_dictionaries({"channel": LABELS | labels}, optional={"type": labels, "where": conditions()})
    rules = [
        {"id": rule_id, "to": stage, "when": draw(whens([*kinds, "any"]))} | ({"text": draw(TEXTS)} if stage else {})
        for rule_id, stage in zip(rule_ids, stages, strict=False)
    ]
    silences = [
        {
            "id": rule_id,
            "in": stages[index + 1 :],
            "to": stages[index],
            "nothing_for": draw(DURATIONS),
            "of": draw(st.sampled_from([*kinds, "any"])),
        }
        for index, rule_id in enumerate(rule_ids[len(stages) : -1])
    ]
    return {
        "model": draw(NAMES),
        "version": draw(st.integers(1, 2**31 - 1)),
        "description": draw(TEXTS),
        "stages": [{"id": stage, "meaning": draw(TEXTS), "settle": draw(DURATIONS)} for stage in stages],
        "touchpoints": {
            kind: {"meaning": draw(TEXTS), "match": draw(st.lists(patterns, min_size=1, max_size=2))} for kind in kinds
        },
        "rules": draw(st.permutations(rules)),
        "inactivity": silences,
        "segments": draw(segments(stages, [*kinds, "any"])),
        "moves": {
            "forward": "any",
            "back": draw(st.sampled_from(["inactivity", "any"])),
            "win_back": draw(st.sampled_from(["any", "next", "never"])),
        },
    }


def written(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def read(document: dict[str, Any]) -> Model:
    return parse_model(written(document), "random.yaml")


# A machine that is busy with other tests is no reason to fail.
UNHURRIED = settings(deadline=None)


def mistakes_of(text: str) -> tuple[Mistake, ...]:
    try:
        parse_model(text, "damaged.yaml")
    except ModelError as error:
        return error.mistakes
    return ()


@UNHURRIED
@given(documents())
def test_a_random_model_survives_being_written_and_read(document: dict[str, Any]) -> None:
    model = read(document)

    again = read(model.to_document())

    assert again == model
    assert again.fingerprint == model.fingerprint


@UNHURRIED
@given(st.data())
def test_a_damaged_file_is_a_model_or_mistakes_with_lines(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 30)))
    damage = data.draw(st.text("abz019 \n:,{}[]-#&*!|>'\"%@`?~.\t\x00é", max_size=8))

    mistakes = mistakes_of(GOOD[:start] + damage + GOOD[end:])

    assert all(one.line and one.found and one.expected and "\n" not in str(one) for one in mistakes)


@UNHURRIED
@given(st.text())
def test_no_text_whatever_makes_a_model_of_nothing(text: str) -> None:
    assert mistakes_of(text)
