"""A timeline holds what it was given, in order, however it came; and its index says the same as what it holds."""

from hypothesis import given
from hypothesis import strategies as st

from journey_stream.engine.head import Head
from journey_stream.engine.packing import pack_touches, unpack_part
from journey_stream.engine.timeline import PART_MAX, TAIL_MAX, Timeline, mark_of
from journey_stream.engine.touches import Touch

INSTANTS = st.integers(0, 60)
RUNS = st.lists(INSTANTS, min_size=1, max_size=40)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 5)),
        st.tuples(st.just("insert"), RUNS),
        st.tuples(st.just("remove"), st.integers(0, 1_000)),
        st.tuples(st.just("pop"), st.none()),
        st.tuples(st.just("look"), st.none()),
    ),
    max_size=40,
)


@given(STEPS)
def test_holds_what_it_was_given_in_order(steps):
    timeline = Timeline(Head(), [], None, None, None, None, holding_ms=1)
    held: list[Touch] = []
    folded = -1
    for number, (what, told) in enumerate(steps):
        if what == "append":
            touch = Touch(max([folded, *(one.at for one in held)]) + 1 + told, f"{number}", "web", "visit")
            mark = mark_of(touch.id) if timeline.parts else ""
            timeline.append(touch.at, touch.id, mark, pack_touches([touch]))
            held.append(touch)
        elif what == "insert":
            run = [Touch(folded + 1 + at, f"{number}-{place}", "web", "visit") for place, at in enumerate(told)]
            timeline.insert(run)
            held += run
        elif what == "remove" and held:
            timeline.remove(held.pop(told % len(held)))
        elif what == "pop" and timeline.parts:
            popped = timeline.pop_oldest_part()
            folded = popped[-1].at
            timeline.head.folded_at, timeline.head.folded_id = popped[-1].at, popped[-1].id
            held = [touch for touch in held if touch not in popped]
        elif what == "look":
            for touch in held:
                assert timeline.find(touch.id, mark_of(touch.id), touch.at) == touch
        held.sort(key=lambda touch: (touch.at, touch.id))
        assert list(timeline.touches()) == held
        assert timeline.head.held == len(held)
        assert timeline.head.tail_count < TAIL_MAX
        assert all(0 < len(unpack_part(part)) <= PART_MAX for part in timeline.parts)
        assert len(timeline.parts) == len(timeline.head.parts) == len(set(timeline.head.parts))
        assert timeline.grown == sum(map(len, timeline.parts))
        if held:
            assert (timeline.head.last_at, timeline.head.last_id) == (held[-1].at, held[-1].id)
        if timeline.index is not None:
            assert timeline.parts
            assert timeline.index == "".join(mark_of(touch.id) for touch in held)
