"""Every model against its definition, on random paths; time decay, which the database computes, is tested with it."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from journey_stream.attribution.models import MODELS, attribute
from journey_stream.attribution.walks import Paths
from tests.support.attribution_oracle import credits_of

DAY_MS = 86_400_000

_touches = st.lists(st.tuples(st.integers(0, 90 * DAY_MS), st.sampled_from("abcdef")), max_size=9).map(sorted)
_paths = st.lists(st.tuples(_touches, st.booleans()), max_size=25)


@given(_paths)
def test_every_credit_is_what_its_definition_says(drawn):
    keys = [(tuple([key for _, key in touches]), converted) for touches, converted in drawn if touches]
    walks = Counter([walk for walk, converted in keys if converted])
    lost = Counter(
        step for walk, converted in keys if not converted for step in zip(walk, (*walk[1:], None), strict=True)
    )
    empty = sum(converted and not touches for touches, converted in drawn)
    won = [touches for touches, converted in drawn if converted and touches]
    expected = credits_of(won, [touches for touches, converted in drawn if touches and not converted])

    found = attribute(Paths(walks, lost, {}, empty))

    assert (sum(converted for _, converted in drawn), len(won)) == (
        found.conversions,
        found.conversions - found.unattributed,
    )
    for model in set(MODELS) - {"time_decay"}:
        credit = dict(zip(found.keys, found.models[model], strict=True))
        assert expected[model].keys() == credit.keys()
        assert all(abs(expected[model][key] - credit[key]) < 1e-9 for key in credit), model
        assert abs(sum(credit.values()) - len(won)) < 1e-9, model
