"""Journey models from YAML: a file, a text, or one of the presets that ship with the package."""

from importlib.resources import files
from pathlib import Path

from journey_stream.journey.cursor import Cursor
from journey_stream.journey.declarations import read_kinds, read_moves, read_stages
from journey_stream.journey.errors import Mistakes, did_you_mean, quote
from journey_stream.journey.identity import read_identity
from journey_stream.journey.model import ANY, Identity, Model, Moves, Stage
from journey_stream.journey.reachability import reachable_stages, silent_circles
from journey_stream.journey.rules import Names, read_inactivity, read_rules
from journey_stream.journey.segment_conditions import read_segments
from journey_stream.journey.yaml_positions import read_yaml

PRESETS = ("six-stages", "four-stages", "five-phases", "six-stages-assistance")
"""The models that ship with the package; the first is the default."""

FILE_BYTES_MAX = 262_144
VERSION_MAX = 2**31 - 1
SECTIONS = (
    *("model", "version", "description", "stages", "touchpoints", "rules", "inactivity", "moves", "identity"),
    "segments",
)


def load_model(path: Path | str) -> Model:
    """The model in a file. Raises ModelError with every mistake, also if the file cannot be read."""
    text = read_text(path, "model file")
    return parse_model(text, str(path))


def read_text(path: Path | str, what: str) -> str:
    """The text of a small file; `what` names its kind in messages. Raises ModelError."""
    mistakes = Mistakes(str(path))
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        mistakes.add(None, "", found=reason[:1].lower() + reason[1:], expected=f"a readable {what}")
        raise mistakes.error() from None
    if len(content) > FILE_BYTES_MAX:
        mistakes.add(None, "", found="a larger file", expected=f"a {what} of at most {FILE_BYTES_MAX // 1024} KiB")
        raise mistakes.error()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        mistakes.add(line, "", found=f"the byte 0x{content[error.start]:02x}", expected="text in UTF-8")
        raise mistakes.error() from None
    return text


def parse_model(text: str, origin: str) -> Model:
    """The model that `text` describes; `origin` names it in messages. Raises ModelError with every mistake."""
    mistakes = Mistakes(origin)
    root = read_yaml(text, mistakes)
    model = None if root is None else _read_model(Cursor(root, "", root.line, mistakes))
    if model is None or mistakes:
        raise mistakes.error()
    return model


def preset(name: str) -> Model:
    """One of the PRESETS. Raises ModelError if there is none of that name."""
    if name not in PRESETS:
        mistakes = Mistakes("presets")
        expected = f"one of {', '.join(PRESETS)}"
        mistakes.add(None, "", found=quote(name), expected=expected, hint=did_you_mean(name, list(PRESETS)))
        raise mistakes.error()
    file = files("journey_stream.journey") / "presets" / f"{name}.yaml"
    return parse_model(file.read_text(encoding="utf-8"), f"{name}.yaml")


def _read_model(root: Cursor) -> Model | None:
    """The model, or None after a mistake. Later sections are read all the same, so that their mistakes show too."""
    fields = root.fields(SECTIONS, required=("model", "version", "stages", "touchpoints", "rules"))
    if fields is None:
        return None
    name = fields["model"].name() if "model" in fields else None
    version = fields["version"].integer(1, VERSION_MAX) if "version" in fields else None
    description = fields["description"].text() if "description" in fields else ""
    stages = read_stages(fields["stages"]) if "stages" in fields else []
    kinds = read_kinds(fields["touchpoints"]) if "touchpoints" in fields else []
    moves = read_moves(fields["moves"]) if "moves" in fields else Moves()
    names = Names([stage.id for _, stage in stages], [kind.id for kind in kinds] + [ANY] * bool(kinds), moves)
    rules = read_rules(fields["rules"], names) if "rules" in fields else []
    inactivity = read_inactivity(fields["inactivity"], names) if "inactivity" in fields else []
    identity = read_identity(fields["identity"]) if "identity" in fields else Identity()
    segments = read_segments(fields["segments"], names) if "segments" in fields else []
    if root.mistakes or name is None or version is None or moves is None:
        return None
    model = Model(
        name=name,
        version=version,
        description=description or "",
        stages=tuple(stage for _, stage in stages),
        kinds=tuple(kinds),
        rules=tuple(rules),
        inactivity=tuple(inactivity),
        moves=moves,
        identity=identity,
        segments=tuple(segments),
    )
    _note_unreachable(model, stages)
    _note_circles(model, fields.get("inactivity"))
    return model


def _note_unreachable(model: Model, stages: list[tuple[Cursor, Stage]]) -> None:
    """Judged only when nothing else is wrong: a rule that could not be read may be the one that leads there."""
    reached = reachable_stages(model.moves, model.rules, model.inactivity)
    for index, (cursor, stage) in enumerate(stages):
        if index not in reached:
            cursor.wrong(
                "a rule that leads there, from no stage at all or from a stage that is itself reached",
                found=f"no way into {stage.id!r} that `moves` allows",
            )


def _note_circles(model: Model, inactivity: Cursor | None) -> None:
    """Judged only when nothing else is wrong, so that each item of the section has become a rule of the model."""
    written = inactivity.items("inactivity rules", least=0) if inactivity else None
    places = {rule.id: cursor for rule, cursor in zip(model.inactivity, written or [], strict=True)}
    for circle in silent_circles(model.moves, model.rules, model.inactivity):
        way = ", ".join(f"{rule.id!r} to {model.stages[rule.to].id!r}" for rule in circle)
        last = max(circle, key=model.inactivity.index)
        dict(places[last.id].named())["to"].wrong(
            "a silent customer to come to rest in some stage", found=f"a circle of silence ({way})"
        )
