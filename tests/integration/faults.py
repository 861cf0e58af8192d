"""Faults drawn from a seed, done to a set of workers and their broker."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.integration.workers import Worker
from tests.support.kafka import KafkaBroker


class Cluster:
    """Workers that come and go around one broker. At least one is always meant to run.

    `hurry` has much more fed for a moment; `until_work` returns when tasks begin to write.
    """

    def __init__(
        self,
        config: Path,
        broker: KafkaBroker,
        session_timeout_seconds: float,
        seed: int,
        hurry: Callable[[], None],
        until_work: Callable[[], Awaitable[None]],
    ) -> None:
        self.done: Counter[str] = Counter()
        self._hurry = hurry
        self._until_work = until_work
        self._config = config
        self._broker = broker
        self._session_seconds = session_timeout_seconds
        self._rng = random.Random(seed)
        self._names = itertools.count(1)
        self._workers: list[Worker] = []
        self._kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "kill -9": self._kill,
            "power failure": self._power_failure,
            "SIGTERM restart": self._restart,
            "zombie": self._zombie,
            "broker restart": self._restart_broker,
            "scale": self._scale,
            "slow restore": self._slow_restore,
        }

    def start(self, *, slow_restore: bool = False) -> None:
        name = f"worker-{next(self._names)}"
        self._workers.append(Worker(self._config, name, slow_restore=slow_restore, debug=True))

    def draw(self, count: int) -> list[str]:
        """`count` kinds of fault in a random order, each kind as often as the others."""
        kinds = list(itertools.islice(itertools.cycle(self._rng.sample(list(self._kinds), len(self._kinds))), count))
        self._rng.shuffle(kinds)
        return kinds

    async def inflict(self, kind: str) -> None:
        self._no_one_fell()
        await self._kinds[kind]()
        self.done[kind] += 1

    async def pause(self) -> None:
        """Some time in which work goes on, so that the next fault finds transactions open."""
        await asyncio.sleep(self._rng.uniform(0.5, 3.0))

    async def stop(self) -> list[int]:
        """SIGTERM to everybody; the exit codes."""
        self._no_one_fell()
        workers, self._workers = self._workers, []
        return await asyncio.gather(*(asyncio.to_thread(worker.terminate) for worker in workers))

    def close(self) -> None:
        for worker in self._workers:
            worker.__exit__()

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in self._config.parent.glob("*.log"))

    async def _kill(self) -> None:
        victim = self._pop()
        await self._amid_work()
        await asyncio.to_thread(victim.kill)
        self.start()

    async def _power_failure(self) -> None:
        """All are killed, and once more as soon as they work off what has piled up: then transactions are open."""
        self._kill_all()
        self._hurry()
        await self._until_work()
        self._kill_all()

    def _kill_all(self) -> None:
        victims, self._workers = self._workers, []
        for victim in victims:
            victim.kill()
        for _ in victims:
            self.start()

    async def _restart(self) -> None:
        victim = self._pop()
        assert await asyncio.to_thread(victim.terminate) == 0, victim.tail()
        self.start()

    async def _zombie(self) -> None:
        """Frozen until the group has given its tasks away, then back with what it had in hand."""
        if len(self._workers) < 2:
            self.start()
            await asyncio.sleep(2)
        victim = self._rng.choice(self._workers)
        await self._amid_work()
        victim.freeze()
        await asyncio.sleep(self._session_seconds * self._rng.uniform(1.4, 2.0))
        victim.thaw()

    async def _restart_broker(self) -> None:
        """Under workers that have started: one that finds no broker at its start ends, and is meant to."""
        for worker in self._workers:
            await asyncio.to_thread(worker.wait_started)
        await asyncio.to_thread(self._broker.restart, kill=self._rng.random() < 0.5)

    async def _scale(self) -> None:
        """One to three workers and back."""
        while len(self._workers) < 3:
            self.start()
        await asyncio.sleep(self._session_seconds)
        while len(self._workers) > 1:
            victim = self._pop()
            assert await asyncio.to_thread(victim.terminate) == 0, victim.tail()

    async def _slow_restore(self) -> None:
        """A worker that needs longer for its restore than a session lasts."""
        self.start(slow_restore=True)
        await asyncio.sleep(self._session_seconds * 2.5)

    async def _amid_work(self) -> None:
        """Let the tasks be in the middle of transactions."""
        self._hurry()
        await asyncio.sleep(self._rng.uniform(0.1, 0.6))

    def _pop(self) -> Worker:
        return self._workers.pop(self._rng.randrange(len(self._workers)))

    def _no_one_fell(self) -> None:
        for worker in self._workers:
            assert worker.running, f"a worker ended by itself:\n{worker.tail()}"
