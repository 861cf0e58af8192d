"""What is erased, as journey.erasures says: read in full before any input is, and followed from then on."""

import time
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from journey_stream.events.erasures import ErasureKey, Erasures, decode_erasure
from journey_stream.worker.clients import close_consumer, partition_consumer
from journey_stream.worker.config import Settings
from journey_stream.worker.erasure_key import ERASURES_PARTITION
from journey_stream.worker.errors import Uncertain, WorkerError

POLL_MS: Final = 1_000
STALL_SECONDS_MAX: Final = 60.0


class ErasureFeed:
    """Keeps `erasures` what the topic says. For one life of a router: a new one reads everything again."""

    def __init__(self, settings: Settings, key: ErasureKey) -> None:
        self.erasures = Erasures(key)
        self._place = TopicPartition(settings.topics.erasures, ERASURES_PARTITION)
        self._consumer: AIOKafkaConsumer = partition_consumer(settings)

    async def open(self) -> None:
        """Read all that is there. Raises KafkaError, WorkerError for what cannot be read, Uncertain after a stall."""
        consumer, place = self._consumer, self._place
        await consumer.start()
        consumer.assign([place])
        end: int = (await consumer.end_offsets([place]))[place]
        at: int = (await consumer.beginning_offsets([place]))[place]
        consumer.seek(place, at)
        moved = time.monotonic()
        while at < end:
            await self._take(200)
            before, at = at, await consumer.position(place)
            if at > before:
                moved = time.monotonic()
            elif time.monotonic() - moved > STALL_SECONDS_MAX:
                raise Uncertain(f"{place.topic} delivers nothing at {at}, before its end {end}")

    async def follow(self) -> None:
        """Take over what comes, until cancelled. Raises as `open` does."""
        while True:
            await self._take(POLL_MS)

    async def close(self) -> None:
        """Disconnect."""
        await close_consumer(self._consumer)

    async def _take(self, timeout_ms: int) -> None:
        found = await self._consumer.getmany(self._place, timeout_ms=timeout_ms)
        for record in found.get(self._place, ()):
            self._add(record)

    def _add(self, record: Any) -> None:
        if record.value is None:
            return
        try:
            name = bytes.fromhex((record.key or b"").decode())
            fingerprint, spans = decode_erasure(record.value)
        except ValueError as error:
            raise WorkerError(
                f"{self._place.topic} offset {record.offset} cannot be read ({error}). Was it written by something "
                "else? Give erasures a topic of their own (erasures_topic)."
            ) from error
        if fingerprint != self.erasures.key.fingerprint:
            raise WorkerError(
                f"{self._place.topic} holds erasures by another key than the one given: erased people would not be "
                "recognised and come back. Give the key that they were written with (erasure_key_file or "
                "JOURNEY_ERASURE_KEY); if there was none, it was the application_id of then."
            )
        self.erasures.add(name, spans)
