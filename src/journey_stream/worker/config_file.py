"""Reads the settings: `journey.yaml`, over it the `JOURNEY_*` variables, over both the options of the command line.

All mistakes are reported at once, each with the line of the file or the name of the variable it stands in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from journey_stream.journey.errors import Mistake, did_you_mean, quote
from journey_stream.worker.config import Settings

PREFIX = "JOURNEY_"
CONFIG_VARIABLE = "JOURNEY_CONFIG"
DEFAULT_FILE = Path("journey.yaml")

NAMES = {field.alias or name: name for name, field in Settings.model_fields.items()}
DURATIONS = frozenset(written for written, name in NAMES.items() if written != name)
SECRETS = frozenset({"sasl_password", "pseudonym_key", "erasure_key", "serve_token", "schema_registry_password"})
_ADDRESSES = frozenset({"oauth_token_url", "schema_registry_url"})
# A path in the file is meant from where the file is; elsewhere, from where the command runs.
PATHS = frozenset(name for name, field in Settings.model_fields.items() if field.annotation == Path | None)

# Variables that carry our prefix by chance (a Kubernetes service named `journey` brings JOURNEY_PORT=tcp://…), or that
# speak to our tests.
_NOT_OURS = re.compile(r"JOURNEY_(TEST_.*|KAFKA_CACHE|.*SERVICE_(HOST|PORT)(_.*)?|.*PORT_[0-9]+_(TCP|UDP)(_.*)?)")


class ConfigError(ValueError):
    """A configuration that cannot be used, with all its mistakes."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(map(str, mistakes)))


@dataclass(frozen=True, slots=True)
class _Value:
    """A value and where it was written: `file` is the path, the variable or the option that holds it."""

    value: Any
    file: str
    line: int | None
    field: str

    def mistake(self, expected: str, hint: str = "", *, secret: bool = False) -> Mistake:
        return Mistake(
            self.file, self.line, self.field, "a secret" if secret else quote(self.value, 200), expected, hint
        )


def load_settings(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings of `config`, or of the file that `JOURNEY_CONFIG` names, or of `./journey.yaml` if there is one.

    `options` are those of the command line, by the name of the setting; None means not given. Raises ConfigError.
    """
    environ = os.environ if environ is None else environ
    mistakes: list[Mistake] = []
    values: dict[str, _Value] = {}
    path = config or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if path is not None or DEFAULT_FILE.exists():
        values |= _read_file(path or DEFAULT_FILE, mistakes)
    values |= _read_environment(environ, mistakes)
    for name, value in (options or {}).items():
        if value is not None:
            values[name] = _Value(value, f"--{name.replace('_', '-')}", None, "")
    return _validated(values, mistakes)


class _Loader(yaml.SafeLoader):
    """The safe one, to which what looks like a date is the text that stands there: no setting is a date."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _read_file(path: Path, mistakes: list[Mistake]) -> dict[str, _Value]:
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, see there
    except OSError as error:
        mistakes.append(Mistake(str(path), None, "", error.strerror or "no file", "a readable configuration file"))
        return {}
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = (getattr(error, "problem", None) or str(error)).removeprefix("found ")
        mistakes.append(Mistake(str(path), mark.line + 1 if mark else None, "", problem, "YAML in UTF-8"))
        return {}
    except RecursionError:
        mistakes.append(Mistake(str(path), None, "", "too many levels of nesting", "names with values"))
        return {}
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode) or not isinstance(document, dict):
        mistakes.append(Mistake(str(path), 1, "", quote(document), "names with values, such as `partitions: 8`"))
        return {}
    lines = _lines(node, path, mistakes)
    values: dict[str, _Value] = {}
    for name, value in ((str(written), value) for written, value in document.items()):
        place = _Value(_from_file(name, value, path), str(path), lines.get(name), name)
        if name not in NAMES:
            mistakes.append(_unknown(place, name, list(NAMES)))
        elif name in DURATIONS and not isinstance(value, str | None):
            mistakes.append(place.mistake("a length of time with its unit, such as 30d, 12h, 5m or 10s"))
        elif value is not None:
            values[name] = place
    return values


def _lines(node: yaml.MappingNode, path: Path, mistakes: list[Mistake]) -> dict[str, int]:
    """The line of each name. A name that stands there twice is a mistake: YAML would silently take the last."""
    lines: dict[str, int] = {}
    for key, _ in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in lines:
            mistakes.append(Mistake(str(path), line, name, f"again, after line {lines[name]}", "each name once"))
        lines.setdefault(name, line)
    return lines


def _from_file(name: str, value: Any, path: Path) -> Any:
    is_path = (
        name in PATHS
        or (name in {"model", "churn"} and str(value).endswith((".yaml", ".yml")))
        or (name == "serve_database" and "://" not in str(value))  # not a path but a database of PostgreSQL
    )
    return str(path.parent / value) if is_path and isinstance(value, str) else value


def _read_environment(environ: Mapping[str, str], mistakes: list[Mistake]) -> dict[str, _Value]:
    values: dict[str, _Value] = {}
    variables = {PREFIX + name.upper(): name for name in NAMES}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE or _NOT_OURS.fullmatch(variable):
            continue
        if "://" in value and variable.endswith("_PORT"):
            continue
        place = _Value(value, variable, None, "")
        if variable in variables:
            values[variables[variable]] = place
        else:
            mistakes.append(_unknown(place, variable, list(variables)))
    return values


def _unknown(place: _Value, name: str, known: list[str]) -> Mistake:
    hint = did_you_mean(name, known) or f"known are {', '.join(sorted(known))}"
    return Mistake(place.file, place.line, place.field, "an unknown name", "the name of a setting", hint)


def _validated(values: dict[str, _Value], mistakes: list[Mistake]) -> Settings:
    try:
        settings = Settings.model_validate({name: value.value for name, value in values.items()})
    except ValidationError as error:
        mistakes += [_explained(detail, values) for detail in error.errors(include_url=False)]
    if mistakes:
        raise ConfigError(mistakes)
    return settings


def _explained(detail: ErrorDetails, values: dict[str, _Value]) -> Mistake:
    context = detail.get("ctx", {})
    name = context["field"] if detail["type"] == "contradiction" else str(detail["loc"][0])
    expected, _, hint = _expected(detail).partition("; ")
    if name in values:
        # An address may carry a password.
        is_secret = name in SECRETS or (name in _ADDRESSES and "@" in str(values[name].value))
        return values[name].mistake(expected, hint, secret=is_secret)
    return Mistake("settings", None, name, "nothing", expected, hint)


_EXPECTED = {
    "contradiction": "{expected}",
    "value_error": "{error}",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "literal_error": "one of {expected}",
    "string_type": "some text",
    "string_too_short": "some text",
    "string_pattern_mismatch": "at most 200 of the characters A-Z a-z 0-9 . _ -",
}


def _expected(detail: ErrorDetails) -> str:
    template = _EXPECTED.get(detail["type"])
    return template.format(**detail.get("ctx", {})) if template else detail["msg"]
