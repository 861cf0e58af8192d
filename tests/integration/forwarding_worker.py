"""A worker whose tasks pass on whatever they are given: `python -m tests.integration.forwarding_worker CONFIG [DIE]`.

Each touchpoint becomes a `deliver` for the customer that its `type` names. Each delivery becomes a message of
journey.identity-changes, counted per receiver. So that topic tells whether a delivery was lost, doubled or out of turn.
With DIE the process kills itself in the transaction of that number, of those that write to another partition of the
log: when all of it is written and acknowledged, and before it is committed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from journey_stream.events.decisions import IdentityChanged
from journey_stream.events.log import Deliver, Passed, TouchpointRecord, decode
from journey_stream.worker import fencing, task
from journey_stream.worker.batch import Batch, CausedIdentity, Forwarded, LogRecord
from journey_stream.worker.metrics import Metrics
from journey_stream.worker.tasks import Tasks
from tests.integration.workers import read_config


class PassingOn:
    """In place of an engine: how many deliveries each receiver has had."""

    clock = 0
    state_bytes = 0
    to_rescore = 0
    parameters_before = None

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()

    @property
    def profiles(self) -> int:
        return len(self.received)

    def next_timer(self) -> int | None:
        return None

    def restore(self, key: bytes, value: bytes | None) -> None:
        self.received[key[1:].decode()] = int(value or b"0")

    def restored(self) -> None:
        pass


class Processor:
    """In place of the processor of batches."""

    def __init__(self, engine: PassingOn, _: str, __: int, next_offset: int) -> None:
        self.engine = engine
        self.next_offset = next_offset
        self._forwards: list[Forwarded] = []
        self._told: list[CausedIdentity] = []

    def apply(self, records: Iterable[LogRecord]) -> None:
        for record in records:
            self.next_offset = record.offset + 1
            found = decode(record.key, record.timestamp, record.value)
            if isinstance(found, TouchpointRecord):
                passed_on = Deliver(
                    profile_id=found.type,
                    at=found.occurred_at,
                    via=found.profile_id,
                    touchpoints=[Passed(found.occurred_at, found.event_id, found.channel, found.type)],
                )
                self._forwards.append(Forwarded(passed_on, record))
            elif isinstance(found, Deliver):
                self._told.append(CausedIdentity(self._told_of(found), record))

    def passed(self, offset: int) -> None:
        self.next_offset = max(self.next_offset, offset)

    def finish(self) -> Batch:
        told, self._told = self._told, []
        forwards, self._forwards = self._forwards, []
        received = self.engine.received
        changelog: list[tuple[bytes, bytes | None]] = [
            (b"h" + one.encode(), b"%d" % received[one]) for one in {caused.change.profile_id for caused in told}
        ]
        return Batch([], [], told, forwards, {}, [], changelog, self.next_offset, 0, None, {}, 0)

    def _told_of(self, delivery: Deliver) -> IdentityChanged:
        receiver = delivery.profile_id
        self.engine.received[receiver] += 1
        revision = self.engine.received[receiver]
        evidence = tuple(one.event_id for one in delivery.touchpoints)
        return IdentityChanged(
            *(
                f"{receiver}-{revision}",
                "linked",
                receiver,
                revision,
                delivery.via,
                delivery.at,
                "observed",
                "Delivered.",
            ),
            *(evidence, None),
        )


def die_in(number: int) -> None:
    """See the top of this file."""
    send = fencing.send_batches
    left = [number]

    async def sent_and_dead(producer: Any, queues: Sequence[tuple[str, int, Any]]) -> None:
        await send(producer, queues)
        partitions = {partition for _, partition, _ in queues}
        left[0] -= len(partitions) > 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    fencing.send_batches = sent_and_dead


async def main(config: Path) -> None:
    settings = read_config(config)
    tasks = Tasks(settings, Metrics(), PassingOn)  # type: ignore[arg-type]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, tasks.stop)
    sys.stdout.write("started\n")
    sys.stdout.flush()
    await tasks.run()


if __name__ == "__main__":
    task.Processor = Processor  # type: ignore[misc, assignment]
    if len(sys.argv) > 2:
        die_in(int(sys.argv[2]))
    asyncio.run(main(Path(sys.argv[1])))
