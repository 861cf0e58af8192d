"""Whether every document that one JSON Schema accepts is accepted by another: the base of the compatibility check.

It understands what our contracts use: objects, lists, alternatives (`anyOf`, lists of types), enumerations, bounds and
patterns. Documents stay open: an unknown field never makes a document invalid.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_UPPER = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_LOWER = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
_SAME = ("pattern", "format", "multipleOf")


def refused(inner: Schema, outer: Schema) -> list[str]:
    """What `inner` accepts and `outer` does not, as `field: why`; empty when `outer` accepts it all."""
    return list(_refused(inner, outer, (inner, outer), ""))


def removed_fields(before: Schema, after: Schema) -> list[str]:
    """Dotted names of the fields that `before` describes and `after` does not."""
    return sorted(_fields(before, before, "") - _fields(after, after, ""))


def _refused(inner: Schema, outer: Schema, roots: tuple[Schema, Schema], field: str) -> Iterator[str]:
    wide = _alternatives(outer, roots[1])
    for narrow in _alternatives(inner, roots[0]):
        problems = [list(_refused_by_one(narrow, other, roots, field)) for other in wide]
        if all(problems):
            yield from min(problems, key=len)


def _refused_by_one(inner: Schema, outer: Schema, roots: tuple[Schema, Schema], field: str) -> Iterator[str]:
    name = field or "document"
    if not _type_fits(inner.get("type"), outer.get("type")):
        yield f"{name}: type {_word(inner.get('type'))} is no longer {_word(outer.get('type'))}"
        return
    yield from (f"{name}: {problem}" for problem in _bounds(inner, outer))
    for required in sorted(set(outer.get("required", ())) - set(inner.get("required", ()))):
        yield f"{_join(field, required)}: is required on one side only"
    ours, theirs = inner.get("properties", {}), outer.get("properties", {})
    for key in sorted(ours.keys() & theirs.keys()):
        yield from _refused(ours[key], theirs[key], roots, _join(field, key))
    for key, mark in (("items", "[]"), ("additionalProperties", ".*"), ("propertyNames", " (name)")):
        limit = outer.get(key, True)
        if limit is False and inner.get(key, True) is not False:
            yield f"{name}: fields that are not named are accepted on one side only"
        elif isinstance(limit, dict):
            yield from _refused(_as_schema(inner.get(key)), limit, roots, field + mark)


def _alternatives(schema: Schema, root: Schema) -> list[Schema]:
    """The schema without references, alternatives and lists of types: one schema for each way to fit it."""
    if "$ref" in schema:
        target = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        return _alternatives({**target, **{key: value for key, value in schema.items() if key != "$ref"}}, root)
    if "anyOf" in schema:
        base = {key: value for key, value in schema.items() if key != "anyOf"}
        return [one for part in schema["anyOf"] for one in _alternatives(_both(base, part), root)]
    if isinstance(schema.get("type"), list):
        return [one for kind in schema["type"] for one in _alternatives({**schema, "type": kind}, root)]
    return [schema]


def _both(base: Schema, part: Schema) -> Schema:
    required = sorted({*base.get("required", ()), *part.get("required", ())})
    return {**base, **part, "required": required} if required else {**base, **part}


def _bounds(inner: Schema, outer: Schema) -> Iterator[str]:
    allowed, given = _values(outer), _values(inner)
    if allowed is not None and (given is None or not set(given) <= set(allowed)):
        surplus = "anything" if given is None else ", ".join(sorted(map(repr, set(given) - set(allowed))))
        yield f"{surplus} is not among {', '.join(map(repr, allowed))}"
    if given is not None:
        return  # A list of values is as narrow as it gets: bounds cannot matter.
    for key in _UPPER:
        if key in outer and (key not in inner or inner[key] > outer[key]):
            yield f"{key} {inner.get(key, 'none')} is over {outer[key]}"
    for key in _LOWER:
        if key in outer and (key not in inner or inner[key] < outer[key]):
            yield f"{key} {inner.get(key, 'none')} is under {outer[key]}"
    for key in _SAME:
        if key in outer and inner.get(key) != outer[key]:
            yield f"{key} {inner.get(key, 'none')} is not {outer[key]}"


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _type_fits(inner: str | None, outer: str | None) -> bool:
    return outer is None or inner == outer or (inner == "integer" and outer == "number")


def _as_schema(value: Schema | bool | None) -> Schema:
    """`true` and nothing said both mean anything; `false` means that there is no such value."""
    if value is False:
        return {"enum": []}
    return value if isinstance(value, dict) else {}


def _fields(schema: Schema, root: Schema, prefix: str) -> set[str]:
    found = set()
    for one in _alternatives(schema, root):
        for key, value in one.get("properties", {}).items():
            name = _join(prefix, key)
            found |= {name} | _fields(value, root, name)
        if isinstance(one.get("items"), dict):
            found |= _fields(one["items"], root, prefix + "[]")
    return found


def _join(field: str, key: str) -> str:
    return f"{field}.{key}" if field else key


def _word(kind: str | None) -> str:
    return kind or "anything"
