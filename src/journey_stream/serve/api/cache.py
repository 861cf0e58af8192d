"""Answers that were computed for the version that is served."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

ANSWERS_MAX = 256


class Body(NamedTuple):
    """JSON, and a tag that is the same as long as it is."""

    content: bytes
    etag: str


def body_of(content: bytes) -> Body:
    # A weak tag: the compressed and the plain form of an answer mean the same and share it.
    return Body(content, f'W/"{blake2b(content, digest_size=12).hexdigest()}"')


class _Answer:
    """One computation, which begins when that of an earlier version has ended. Made within a running loop."""

    def __init__(self, version: int, compute: Callable[[], Awaitable[bytes]], before: "_Answer | None") -> None:
        self.version = version
        self.has_begun = False
        self.body = asyncio.ensure_future(self._run(compute, before))

    async def _run(self, compute: Callable[[], Awaitable[bytes]], before: "_Answer | None") -> Body:
        if before is not None:
            await asyncio.wait([before.body])
        self.has_begun = True
        return body_of(await compute())


class Cache:
    """Whoever asks what is being computed already waits for that. The answers used least lately go first.

    Of one question, one computation runs and at most one waits for its turn, however often the version changes
    meanwhile: what takes longer than versions last does not pile up.
    """

    def __init__(self, answers_max: int = ANSWERS_MAX) -> None:
        self._answers_max = answers_max
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()

    async def get(self, version: int, question: Hashable, compute: Callable[[], Awaitable[bytes]]) -> Body:
        """The answer at this version or a later one, computed once."""
        found = self._answers.get(question)
        if found is not None and not found.has_begun:
            found.version = version  # it reads the store later than now
        elif found is None or found.version != version:
            found = self._answers[question] = _Answer(version, compute, found)
            found.body.add_done_callback(partial(self._forget_failure, question, found))
        self._answers.move_to_end(question)
        while len(self._answers) > self._answers_max:
            self._answers.popitem(last=False)
        # Shielded: one listener who leaves must not take the answer from the others.
        return await asyncio.shield(found.body)

    def _forget_failure(self, question: Hashable, answer: _Answer, _: asyncio.Future[Body]) -> None:
        failed = answer.body.cancelled() or answer.body.exception() is not None
        if failed and self._answers.get(question) is answer:
            del self._answers[question]
