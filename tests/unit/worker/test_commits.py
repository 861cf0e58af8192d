"""One commit at a time, and how long a batch may grow before the next."""

import asyncio

import pytest

from journey_stream.worker.commits import LINGER_RECORDS_MIN, LINGER_SECONDS_MAX, LINGER_SECONDS_MIN, Commits


async def test_a_batch_grows_while_a_commit_is_under_way() -> None:
    commits, through = Commits(), asyncio.Event()

    async def commit() -> None:
        await through.wait()

    commits.begin(commit())
    assert commits.under_way
    assert commits.may_grow(0, 0.0)
    assert commits.may_grow(1, 0.0)
    through.set()
    await commits.end()
    assert not commits.under_way


async def test_commits_do_not_follow_right_after_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("journey_stream.worker.commits.time.monotonic", lambda: now)
    commits = Commits()
    assert not commits.may_grow(1, 0.0), "the first goes at once"
    commits.begin(asyncio.sleep(0))
    await commits.end()
    assert commits.may_grow(1, 0.0)
    now += LINGER_SECONDS_MIN
    assert not commits.may_grow(1, 0.0)
    assert not commits.may_grow(LINGER_RECORDS_MIN, 0.0), "who keeps up waits no longer, however many there are"


async def test_who_is_late_waits_for_a_share_of_it_if_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("journey_stream.worker.commits.time.monotonic", lambda: now)
    commits = Commits()
    assert not commits.may_grow(LINGER_RECORDS_MIN, 1e9), "nothing was committed yet: the first goes at once"
    commits.begin(asyncio.sleep(0))
    await commits.end()
    now += 0.1
    assert commits.may_grow(LINGER_RECORDS_MIN, 2.0)
    assert not commits.may_grow(LINGER_RECORDS_MIN, 1.0)
    assert not commits.may_grow(LINGER_RECORDS_MIN - 1, 2.0)
    now += LINGER_SECONDS_MAX
    assert not commits.may_grow(LINGER_RECORDS_MIN, 1e9)


async def test_the_end_raises_what_the_commit_raised() -> None:
    async def commit() -> None:
        raise ValueError("no")

    commits = Commits()
    commits.begin(commit())
    with pytest.raises(ValueError, match="no"):
        await commits.end()
    await commits.settle()


async def test_settling_gives_up_what_hangs() -> None:
    commits, cancelled = Commits(), asyncio.Event()

    async def commit() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    commits.begin(commit())
    await asyncio.sleep(0)
    await commits.settle()
    assert cancelled.is_set()
