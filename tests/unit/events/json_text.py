"""Touchpoints as raw JSON text: what a standard library would write, and what it never would."""

import json

from hypothesis import strategies as st

_numbers = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["-0", "-0.0", "1e3", "1E+16", "1e-7", "1e308", "12.50", "0.1e1", "9" * 300]),
)
_integers = st.integers().map(str)
_texts = st.one_of(
    st.text(max_size=8).map(json.dumps),
    st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from([r'"\ud83d\ude00"', r'"\u0000"', '"12.5"', '"inf"', '"NaN"', r'"\ufeff"']),
)
_names = st.one_of(_integers, st.text(min_size=1, max_size=8).map(json.dumps))
_poison = st.sampled_from(
    [
        *("NaN", "Infinity", "-Infinity", "nan", "01", "+1", "1.", ".5", "0x10", "1_000", "1e309", "-1e999", "9" * 400),
        *(r'"\ud800"', r'"\udc00\ud800"', '"a\nb"', "'a'", "1.5", "true", "[" * 300 + "]" * 300, "{,}", "/**/1"),
    ]
)


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"


def _nested(leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda items: "[" + ",".join(items) + "]"),
            st.lists(st.tuples(_texts, inner), max_size=3).map(_object),
        ),
        max_leaves=5,
    )


_anything = _nested(st.one_of(_numbers, _texts, st.sampled_from(["true", "false", "null"])))
_odd = _nested(st.one_of(_poison, _numbers, _texts))

_fields = {
    "event_id": _names,
    "occurred_at": st.one_of(
        st.datetimes(timezones=st.timezones()).map(lambda instant: json.dumps(instant.isoformat())),
        st.integers(0, 2_000_000_000).map(str),
        st.integers(20_000_000_001, 4_000_000_000_000).map(str),
        st.floats(0, 2e9).map(repr),
        st.datetimes().map(lambda instant: json.dumps(instant.isoformat(timespec="milliseconds") + "Z")),
        st.from_regex(
            r'"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.,:+][0-9]{3}){0,2}Z"', fullmatch=True
        ),
        st.sampled_from(['"0001-01-01T00:00:00+01:00"', '"9999-12-31T23:59:59-01:00"', '"1970-01-01T00:00:00Z"']),
    ),
    "channel": _names,
    "type": _names,
    "identifiers": st.lists(st.tuples(st.sampled_from(['"email"', '"phone"', '"other"']), _texts), max_size=3).map(
        _object
    ),
    "customer_id": st.one_of(_integers, _texts),
    "campaign": st.one_of(_integers, _texts, st.just("null")),
    "value": st.one_of(_numbers, st.just("null")),
    "currency": st.sampled_from(['"EUR"', '"USD"', "null"]),
    "properties": st.lists(st.tuples(_texts, _anything), max_size=3).map(_object),
    "schema_version": st.just("1"),
}
_required = ("event_id", "occurred_at", "channel", "type", "customer_id")


@st.composite
def touchpoint_texts(draw: st.DrawFn) -> bytes:
    """Bytes of a touchpoint that is mostly valid: extreme numbers, repeated keys, fields of any shape, white space.

    About every third has one value that is wrong, or no JSON at all.
    """
    names = [*_required, *draw(st.lists(st.sampled_from(sorted(_fields)), max_size=4))]
    pairs = [(json.dumps(name), draw(_fields[name])) for name in names]
    pairs += draw(st.lists(st.tuples(_texts, _anything), max_size=2))
    if draw(st.integers(0, 2)) == 0:
        pairs.append((json.dumps(draw(st.sampled_from([*names, "properties", "unknown"]))), draw(_odd)))
    space = draw(st.sampled_from(["", " ", "\n", "\t\r\n"]))
    return (space + _object(draw(st.permutations(pairs))) + space).encode()
