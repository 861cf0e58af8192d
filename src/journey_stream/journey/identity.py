"""The part of a model file about identifiers: their types in order, how their values are read, when they are shared."""

from journey_stream.events.identifiers import IdentifierRule
from journey_stream.events.normalisation import STEPS
from journey_stream.journey.cursor import Cursor
from journey_stream.journey.model import Identity

OFF = "off"
TYPES_MAX = 16
"""Each touchpoint makes one message per lower type at the most, and a touchpoint passes on through so many profiles."""

CALLING_CODE_MAX = 999
PARENTS_MAX = 10_000
BLOCKED_LENGTH_MAX = 512


def read_identity(cursor: Cursor) -> Identity | None:
    """The section `identity`, with the defaults for what is not said; None if it is `off`, and after a mistake."""
    if not cursor.is_mapping():
        if cursor.scalar_text() != OFF:
            cursor.wrong(f"a mapping with identifiers, look_back and shared_after, or {OFF}")
        return None
    fields = cursor.fields(("identifiers", "look_back", "shared_after")) or {}
    standard = Identity()
    rules = _read_identifiers(fields["identifiers"]) if "identifiers" in fields else list(standard.identifiers())
    look_back_ms = fields["look_back"].duration_ms(least_ms=0) if "look_back" in fields else standard.look_back_ms
    customers, parents = standard.customers_max, standard.parents_max
    if "shared_after" in fields:
        customers, parents = _read_shared_after(fields["shared_after"], customers, parents)
    if look_back_ms is None:
        return None
    return Identity(
        ranks=tuple(rule.kind for rule in rules),
        look_back_ms=look_back_ms,
        customers_max=customers,
        parents_max=parents,
        rules=tuple(rule for rule in rules if rule != IdentifierRule.default(rule.kind)),
    )


def _read_shared_after(cursor: Cursor, customers: int, parents: int) -> tuple[int, int]:
    fields = cursor.fields(("customers", "parents")) or {}
    if "customers" in fields:
        customers = fields["customers"].integer(1, PARENTS_MAX) or customers
    if "parents" in fields:
        parents = fields["parents"].integer(1, PARENTS_MAX) or parents
    if parents < customers:
        place = fields.get("parents") or fields["customers"]
        place.wrong(f"at least as many parents ({parents}) as customers ({customers}): every customer is a parent")
    return customers, parents


def _read_identifiers(cursor: Cursor) -> list[IdentifierRule]:
    rules: list[IdentifierRule] = []
    seen: dict[str, int] = {}
    items = cursor.items("identifier types") or []
    if len(items) > TYPES_MAX:
        cursor.wrong(f"at most {TYPES_MAX} identifier types", found=f"{len(items)} identifier types")
    for item in items:
        rule = _read_identifier(item, seen)
        if rule is not None:
            rules.append(rule)
    return rules


def _read_identifier(cursor: Cursor, seen: dict[str, int]) -> IdentifierRule | None:
    """An identifier type by its name alone, or with how it is read."""
    if not cursor.is_mapping():
        kind = cursor.new_name(seen)
        return None if kind is None else IdentifierRule.default(kind)
    fields = cursor.fields(("type", "normalise", "calling_code", "blocked"), required=("type",)) or {}
    kind = fields["type"].new_name(seen) if "type" in fields else None
    standard = IdentifierRule.default(kind or "")
    steps = _read_steps(fields["normalise"]) if "normalise" in fields else standard.steps
    calling_code = ""
    if "calling_code" in fields:
        calling_code = str(fields["calling_code"].integer(1, CALLING_CODE_MAX) or "")
        if "e164" not in steps:
            fields["calling_code"].wrong("none, unless e164 is among the steps of normalise", found="a calling code")
    blocked = _read_blocked(fields["blocked"]) if "blocked" in fields else frozenset[str]()
    return None if kind is None else IdentifierRule(kind, steps, calling_code, blocked)


def _read_steps(cursor: Cursor) -> tuple[str, ...]:
    steps: list[str] = []
    for item in (cursor.items("steps", least=0) if cursor.is_list() else cursor.one_or_more("steps")) or []:
        step = item.one_of(STEPS, "a step of normalisation")
        if step in steps:
            item.wrong("each step once")
        elif step is not None:
            steps.append(step)
    return tuple(steps)


def _read_blocked(cursor: Cursor) -> frozenset[str]:
    values = [item.text(length_max=BLOCKED_LENGTH_MAX) for item in cursor.one_or_more("values") or []]
    return frozenset(value for value in values if value is not None)
