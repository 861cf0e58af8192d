from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from journey_stream.worker.assignor import KeepTasks, share_out

MEMBERS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.sets(st.integers(0, 20)), min_size=1, max_size=6
)


def test_a_worker_that_joins_takes_no_more_than_its_share() -> None:
    shares = share_out(range(4), {"old": [0, 1, 2, 3], "new": []})

    assert {"old": [0, 1], "new": [2, 3]} == shares


def test_tasks_stay_where_their_state_is() -> None:
    shares = share_out(range(6), {"a": [5, 1], "b": [0, 3], "c": [2, 4]})

    assert {"a": [1, 5], "b": [0, 3], "c": [2, 4]} == shares


def test_the_tasks_of_a_worker_that_left_go_to_those_with_the_fewest() -> None:
    shares = share_out(range(5), {"a": [0, 1], "b": [4]})

    assert {"a": [0, 1, 3], "b": [2, 4]} == shares


@given(st.integers(0, 21), MEMBERS)
def test_every_task_is_run_once_and_nobody_has_two_more_than_another(count: int, held: dict[str, set[int]]) -> None:
    shares = share_out(range(count), held)

    assert list(range(count)) == sorted(partition for share in shares.values() for partition in share)
    assert max(map(len, shares.values())) - min(map(len, shares.values())) <= 1
    assert held.keys() == shares.keys()


def test_what_a_member_holds_travels_with_its_subscription() -> None:
    assignor = KeepTasks("log", lambda: (3, 1))

    metadata = assignor.metadata(["log"])

    assert (["log"], b"[1,3]") == (metadata.subscription, metadata.user_data)
