"""A model as a page: tables in Markdown and a state diagram in Mermaid, both drawn from the model alone."""

from collections import defaultdict
from collections.abc import Iterable

from journey_stream.events.identifiers import IdentifierRule
from journey_stream.journey.durations import format_duration
from journey_stream.journey.load import PRESETS, preset
from journey_stream.journey.model import Identity, Model, Moves, Pattern
from journey_stream.journey.words import say_inactivity, say_rule, say_segment, say_where

_FORWARD = {"any": "to any later stage", "next": "to the next stage only"}
_BACK = {"never": "never", "inactivity": "through inactivity only", "any": "through rules and inactivity"}
_WIN_BACK = {"any": "to any stage up to their peak", "next": "one stage at a time", "never": "never"}


def presets_page() -> str:
    """The page of the documentation about the models that ship with the package."""
    intro = (
        "# The models that ship with the package\n\n"
        "This page is generated from the files in `src/journey_stream/journey/presets/`; edit those.\n"
        "Copy the one that is nearest to your business and make it yours.\n"
    )
    return "\n".join([intro, *(markdown(preset(name), level=2) for name in PRESETS)])


def markdown(model: Model, level: int = 1) -> str:
    """The model as Markdown: its diagram, then a table for each part. `level` is that of its heading."""
    names = [stage.id for stage in model.stages]
    parts = [
        f"{'#' * level} {model.name} (version {model.version})\n",
        f"{_escaped(model.description)}\n" if model.description else "",
        f"```mermaid\n{mermaid(model)}```\n",
        "An arrow from the dot starts at no stage, and at every stage from which the moves allow it.\n",
        _table(
            ("stage", "meaning", "told after"),
            (
                (stage.id, stage.meaning, format_duration(stage.settle_ms) if stage.settle_ms else "at once")
                for stage in model.stages
            ),
        ),
        _table(
            ("touchpoint", "meaning", "is"),
            ((kind.id, kind.meaning, "; ".join(_say_pattern(one) for one in kind.patterns)) for kind in model.kinds),
        ),
        "The first rule that fires wins.\n",
        _table(
            ("rule", "to", "from", "when", "text"),
            (
                (rule.id, names[rule.to], _say_stages(rule.after, names), say_rule(rule), rule.text)
                for rule in model.rules
            ),
        ),
        _table(
            ("inactivity", "to", "from", "when", "text"),
            (
                (one.id, names[one.to], _say_stages(one.stages, names), say_inactivity(one), one.text)
                for one in model.inactivity
            ),
        )
        if model.inactivity
        else "",
        *_identity_parts(model.identity),
        f"{_say_moves(model.moves)}\n",
        _segments(model, names) if model.segments else "",
    ]
    return "\n".join(part for part in parts if part)


def mermaid(model: Model) -> str:
    """The stages as a Mermaid state diagram; each arrow is labelled with the rules that make the move."""
    arrows: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for rule in model.rules:
        for source in ["[*]"] if rule.after is None else [f"s{index}" for index in sorted(rule.after)]:
            arrows[source, f"s{rule.to}"].append(rule.id)
    for silence in model.inactivity:
        for index in sorted(silence.stages):
            arrows[f"s{index}", f"s{silence.to}"].append(silence.id)
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{stage.id}" as s{index}' for index, stage in enumerate(model.stages)]
    lines += [f"    {source} --> {target} : {', '.join(rules)}" for (source, target), rules in arrows.items()]
    return "\n".join(lines) + "\n"


def _segments(model: Model, names: list[str]) -> str:
    rows = ((one.id, one.meaning, say_segment(one, names)) for one in model.segments)
    return "The first segment that holds wins.\n\n" + _table(("segment", "meaning", "when"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Text of a model's author, unable to break out of a table cell or to become HTML."""
    plain = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _identity_parts(identity: Identity | None) -> list[str]:
    if identity is None:
        return ["A touchpoint belongs to its highest identifier, and nothing links one to another.\n"]
    after = f"{identity.customers_max} of the type {identity.ranks[0]} or {identity.parents_max} of any type"
    link = (
        f"Identifiers, the best first: {', '.join(identity.ranks)}. A link reaches "
        f"{format_duration(identity.look_back_ms)} back; what is linked to more than {after} is shared.\n"
    )
    if not identity.rules:
        return [link]
    rows = ((rule.kind, _say_normalisation(rule), ", ".join(sorted(rule.blocked))) for rule in identity.identifiers())
    return [link, _table(("identifier", "normalised", "names nobody"), rows)]


def _say_normalisation(rule: IdentifierRule) -> str:
    steps = ", ".join(rule.steps) or "as it is"
    return f"{steps} (calling code {rule.calling_code})" if rule.calling_code else steps


def _say_stages(stages: frozenset[int] | None, names: list[str]) -> str:
    return "anywhere" if stages is None else ", ".join(names[index] for index in sorted(stages))


def _say_pattern(pattern: Pattern) -> str:
    channels = " or ".join(sorted(pattern.channels)) if pattern.channels is not None else "any channel"
    types = " or ".join(sorted(pattern.types)) if pattern.types is not None else "any type"
    conditions = f" ({', '.join(say_where(one) for one in pattern.where)})" if pattern.where else ""
    return f"{channels}: {types}{conditions}"


def _say_moves(moves: Moves) -> str:
    return (
        f"Customers move forward {_FORWARD[moves.forward]}; back {_BACK[moves.back]}. "
        f"Whoever fell back is won back {_WIN_BACK[moves.win_back]}."
    )
