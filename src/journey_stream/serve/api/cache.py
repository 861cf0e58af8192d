"""Answers that were computed for the version that is served."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
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


class Cache:
    """Whoever asks what is being computed already waits for that. The answers used least lately go first."""

    def __init__(self, answers_max: int = ANSWERS_MAX) -> None:
        self._answers_max = answers_max
        self._answers: OrderedDict[Hashable, tuple[int, asyncio.Future[Body]]] = OrderedDict()

    async def get(self, version: int, question: Hashable, compute: Callable[[], Awaitable[bytes]]) -> Body:
        """The answer at this version, computed once."""
        found = self._answers.get(question)
        if found is None or found[0] != version:
            found = version, asyncio.ensure_future(_compute(compute))
            self._answers[question] = found
            found[1].add_done_callback(lambda future: self._forget_failure(question, future))
        self._answers.move_to_end(question)
        while len(self._answers) > self._answers_max:
            self._answers.popitem(last=False)
        # Shielded: one listener who leaves must not take the answer from the others.
        return await asyncio.shield(found[1])

    def _forget_failure(self, question: Hashable, future: asyncio.Future[Body]) -> None:
        found = self._answers.get(question)
        failed = future.cancelled() or future.exception() is not None
        if failed and found is not None and found[1] is future:
            del self._answers[question]


async def _compute(compute: Callable[[], Awaitable[bytes]]) -> Body:
    return body_of(await compute())
