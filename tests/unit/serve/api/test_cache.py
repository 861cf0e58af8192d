"""Which answers are kept, and how many computations there are of one question."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from journey_stream.serve.api.cache import Body, Cache, body_of

SECONDS_MAX = 20


class Computation:
    """Ends when it is told to; what it answers is how many of its kind have begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.running = 0
        self.running_most = 0
        self._begins: asyncio.Queue[None] = asyncio.Queue()
        self._ends: list[asyncio.Future[None]] = []

    async def __call__(self) -> bytes:
        self.begun += 1
        number = self.begun
        self.running += 1
        self.running_most = max(self.running_most, self.running)
        end = asyncio.get_running_loop().create_future()
        self._ends.append(end)
        self._begins.put_nowait(None)
        try:
            await end
        finally:
            self.running -= 1
        return str(number).encode()

    def end(self, error: Exception | None = None) -> None:
        """The one that began first."""
        end = self._ends.pop(0)
        if error is None:
            end.set_result(None)
        else:
            end.set_exception(error)

    async def next(self) -> None:
        """Return once another one has begun."""
        await asyncio.wait_for(self._begins.get(), SECONDS_MAX)


@pytest.fixture
def compute() -> Computation:
    return Computation()


def asking(cache: Cache, version: int, compute: Callable[[], Awaitable[bytes]]) -> asyncio.Task[Body]:
    return asyncio.ensure_future(cache.get(version, "question", compute))


async def all_asked() -> None:
    """Whatever can go on without an end of a computation has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_an_answer_is_computed_once_for_a_version(compute: Computation) -> None:
    cache = Cache()
    first, second = asking(cache, 1, compute), asking(cache, 1, compute)
    await compute.next()

    compute.end()

    assert body_of(b"1") == await first == await second == await cache.get(1, "question", compute)
    assert 1 == compute.begun


async def test_versions_that_come_faster_than_answers_do_not_pile_up(compute: Computation) -> None:
    cache = Cache()
    first = asking(cache, 1, compute)
    await compute.next()
    later = [asking(cache, version, compute) for version in range(2, 30)]
    await all_asked()

    compute.end()
    await compute.next()
    compute.end()

    assert body_of(b"1") == await first
    # Begun after all of them were asked, so that it holds the last version.
    assert {body_of(b"2")} == set(await asyncio.gather(*later))
    assert body_of(b"2") == await cache.get(29, "question", compute)
    assert (2, 1) == (compute.begun, compute.running_most)


async def test_whoever_asks_at_a_new_version_gets_no_answer_that_was_begun_before(compute: Computation) -> None:
    cache = Cache()
    first = asking(cache, 1, compute)
    await compute.next()
    second = asking(cache, 2, compute)
    await all_asked()

    compute.end()
    await compute.next()
    third = asking(cache, 3, compute)
    await all_asked()
    compute.end()
    await compute.next()
    compute.end()

    assert [body_of(b"1"), body_of(b"2"), body_of(b"3")] == [await first, await second, await third]
    assert 1 == compute.running_most


async def test_a_failure_is_not_kept_and_does_not_stop_the_next(compute: Computation) -> None:
    cache = Cache()
    first = asking(cache, 1, compute)
    await compute.next()
    second = asking(cache, 2, compute)
    await all_asked()

    compute.end(OSError("the disk is gone"))
    with pytest.raises(OSError, match="the disk is gone"):
        await first
    await compute.next()
    compute.end(OSError("the disk is gone"))
    with pytest.raises(OSError, match="the disk is gone"):
        await second
    third = asking(cache, 2, compute)
    await compute.next()
    compute.end()

    assert body_of(b"3") == await third


async def test_one_who_leaves_does_not_take_the_answer_from_the_others(compute: Computation) -> None:
    cache = Cache()
    one, other = asking(cache, 1, compute), asking(cache, 1, compute)
    await compute.next()

    one.cancel()
    await all_asked()
    compute.end()

    assert body_of(b"1") == await other


async def test_the_answers_used_least_lately_go_first() -> None:
    cache, asked = Cache(answers_max=2), list[str]()

    async def ask(question: str) -> None:
        async def compute() -> bytes:
            asked.append(question)
            return question.encode()

        await cache.get(1, question, compute)

    for question in ("a", "b", "a", "c", "a", "b"):
        await ask(question)

    assert ["a", "b", "c", "b"] == asked
