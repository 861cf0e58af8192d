"""A subscriber on plain aiokafka: acts on what holds, takes back what does not.

    python plain_subscriber.py localhost:9092 [TOPIC]

At least once: the position is committed after the reactions, so after a crash the last messages come again, and the
`Reactor` recognises them by change_id and revision. Its memory is a file here; several processes need a shared one.
"""

import asyncio
import sys
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from journey_stream.events.outputs import StageChange
from journey_stream.subscribe import Reactor, SqliteMemory


async def act(change: StageChange) -> None:
    # Your call to the mail service, the CRM, the ad platform.
    print(f"{change.profile_id} is in {change.to_stage}: {change.because.text}", flush=True)


async def undo(change: StageChange) -> None:
    print(f"{change.profile_id} was not in {change.to_stage} after all", flush=True)


async def main(bootstrap: str, topic: str = "journey.stage-changes") -> None:
    reactor = Reactor(act, undo, SqliteMemory(Path("reactions.sqlite")))
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id="plain-subscriber",
        isolation_level="read_committed",  # or you see what a crashed worker never finished
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        while True:
            for records in (await consumer.getmany(timeout_ms=1_000)).values():
                for record in records:  # one partition's, so one customer's messages are in order
                    if record.value is None:  # erased: forget what you keep on record.key
                        continue
                    await reactor.receive_surely(StageChange.model_validate_json(record.value))
            await consumer.commit()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
