"""What Faust lacks for our output topics: values as pydantic models, and reading only what is committed."""

from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from pydantic import BaseModel

from journey_stream.events.framing import unframed


class ModelCodec(faust.Codec):  # type: ignore[misc]
    """Reads and writes JSON as a pydantic model; it reads framed values, too."""

    def __init__(self, children: Any = None, *, model: type[BaseModel]) -> None:
        super().__init__(children=children, model=model)
        self._model = model

    def _loads(self, s: bytes) -> BaseModel:
        return self._model.model_validate_json(unframed(s))

    def _dumps(self, s: BaseModel) -> bytes:
        return s.model_dump_json().encode()


class _CommittedThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust has no setting for this: it reads committed messages only if it also writes in transactions.
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        return consumer


class _CommittedConsumer(driver.Consumer):  # type: ignore[misc]
    def _new_consumer_thread(self) -> _CommittedThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def _add_gap(self, tp: Any, offset_from: int, offset_to: int) -> None:
        """Note that no message has the offsets from `offset_from` to before `offset_to`.

        Every transaction leaves such a gap, for its marker. Faust's own method counts the message at `offset_to` as a
        part of it, which keeps a commit from getting past it, and merges all gaps again with each new one: on a topic
        of many transactions it commits one of them every few seconds and reads slower and slower.
        """
        committed = self._committed_offset[tp]
        start = offset_from if committed is None else max(offset_from, committed + 1)
        if start < offset_to:
            self._gap[tp].addi(start, offset_to)


class CommittedTransport(driver.Transport):  # type: ignore[misc]
    """Faust's Kafka transport, reading with isolation level `read_committed`."""

    Consumer = _CommittedConsumer


class CommittedApp(faust.App):  # type: ignore[misc]
    """A Faust app that sees no message of an aborted transaction."""

    def _new_transport(self) -> CommittedTransport:
        return CommittedTransport(self.conf.broker_consumer, self)
