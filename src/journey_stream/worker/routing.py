"""What the router writes for a source record: a log record to its owner's partition, or a dead letter. Pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from journey_stream.events.admission import Admitted, Refused, read_touchpoint
from journey_stream.events.log import Source, encode_from, source_of
from journey_stream.events.reasons import Reason
from journey_stream.worker.config import Settings
from journey_stream.worker.dead_letters import DeadLetter, Header
from journey_stream.worker.murmur import partition_for
from journey_stream.worker.outbox import BATCH_OVERHEAD_BYTES, Row, dead_letter_message

_SURELY_FITS_BYTES: Final = 2_000
_TRACE_BYTES_MAX: Final = 100
_TRACE_HEADER_BYTES: Final = len("traceparent") + _TRACE_BYTES_MAX + 4


class SourceRecord(Protocol):
    """A record of a source as a consumer hands it over; `timestamp` in ms, -1 for none."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[Header]: ...


class Routed(NamedTuple):
    """Messages per partition of the log, messages per partition of the dead letters, and what was counted."""

    log: dict[int, list[Row]]
    dead_letters: dict[int, list[Row]]
    admitted: Counter[str]
    refused: Counter[tuple[str, Reason]]

    @classmethod
    def none(cls) -> "Routed":
        """Nothing yet."""
        return cls(defaultdict(list), defaultdict(list), Counter(), Counter())


class Routing:
    """Stateless: a record always goes the same way."""

    def __init__(self, settings: Settings, dead_letter_partitions: int) -> None:
        self._partitions = settings.partitions
        self._dead_letter_partitions = dead_letter_partitions
        self._bytes_max = settings.record_bytes_max
        self._letter_bytes_max = settings.dead_letter_bytes_max
        self._sources: dict[tuple[str, int], bytes] = {}

    def route(self, topic: str, partition: int, records: Sequence[SourceRecord], now_ms: int, routed: Routed) -> None:
        """Add to `routed` where each of these records of a source partition goes.

        `now_ms` is the router's clock: no arrival is later than that.
        """
        log, refused = routed.log, 0
        partitions = self._partitions
        source = self._sources.get((topic, partition))
        if source is None:
            source = self._sources[topic, partition] = source_of(topic, partition)
        for record in records:
            found = read_touchpoint(record.value)
            if isinstance(found, Admitted):
                key = found.profile_id.encode()
                value = encode_from(source, record.offset, found, key, record.key)
                if len(key) + len(value) < _SURELY_FITS_BYTES or self._fits(key, value):
                    timestamp = record.timestamp
                    if not 0 <= timestamp <= now_ms:
                        timestamp = now_ms
                    headers = record.headers
                    passed_on = _passed_on(headers) if headers else ()
                    log[partition_for(key, partitions)].append((key, value, passed_on, timestamp))
                    continue
                found = Refused(
                    Reason.RECORD_TOO_LARGE, f"{len(value)} bytes with key and envelope; at most {self._bytes_max}"
                )
            refused += 1
            routed.refused[topic, found.reason] += 1
            letter = self._dead_letter(Source(topic, partition, record.offset), record, found)
            routed.dead_letters[partition % self._dead_letter_partitions].append(letter)
        if len(records) > refused:
            routed.admitted[topic] += len(records) - refused

    def _fits(self, key: bytes, value: bytes) -> bool:
        return BATCH_OVERHEAD_BYTES + _TRACE_HEADER_BYTES + len(key) + len(value) <= self._bytes_max

    def _dead_letter(self, source: Source, record: SourceRecord, found: Refused) -> Row:
        letter = DeadLetter(
            found.reason,
            found.detail,
            "router",
            source,
            record.timestamp if record.timestamp >= 0 else None,
            record.key,
            record.value,
            tuple(record.headers),
        )
        return dead_letter_message(letter, self._letter_bytes_max)


def _passed_on(headers: Sequence[Header]) -> tuple[Header, ...]:
    for header in headers:
        if header[0] == "traceparent" and len(header[1] or b"") <= _TRACE_BYTES_MAX:
            return (header,)
    return ()
