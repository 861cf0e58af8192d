"""What the router writes for a source record: log records to the partitions of its identifiers, or a dead letter.

A touchpoint goes to its owner's partition, and for each lower identifier that it carries a link goes to the partition
of that one. An operation goes to the partition of the identifier that it is about. Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from journey_stream.events.admission import Admitted, Refused, read_touchpoint
from journey_stream.events.erasures import UNKEYED, Erasures
from journey_stream.events.identifiers import DEFAULT, Policy
from journey_stream.events.log import Block, Erase, Source, encode_from, encode_message, links_of, source_of
from journey_stream.events.operations import Operation
from journey_stream.events.reasons import Reason
from journey_stream.worker.config import Settings
from journey_stream.worker.dead_letters import DeadLetter, Header
from journey_stream.worker.links import WrittenLinks
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
    """Messages per partition of the log, messages per partition of the dead letters, and what was counted.

    `written` counts the records of the log by their kind, `erased` those of a source that are erased.
    """

    log: dict[int, list[Row]]
    dead_letters: dict[int, list[Row]]
    admitted: Counter[str]
    refused: Counter[tuple[str, Reason]]
    written: Counter[str]
    erased: Counter[str]

    @classmethod
    def none(cls) -> "Routed":
        """Nothing yet."""
        return cls(defaultdict(list), defaultdict(list), Counter(), Counter(), Counter(), Counter())


class Routing:
    """A record always goes the same way; only which links were written lately is remembered, for one life of a router.

    `policy` says who is who: by default the usual identifiers, of which nothing links one to another. What is in
    `erasures` when its turn comes goes nowhere.
    """

    def __init__(
        self,
        settings: Settings,
        dead_letter_partitions: int,
        policy: Policy = DEFAULT,
        erasures: Erasures | None = None,
    ) -> None:
        self._erasures = Erasures(UNKEYED) if erasures is None else erasures
        self._partitions = settings.partitions
        self._dead_letter_partitions = dead_letter_partitions
        self._bytes_max = settings.record_bytes_max
        self._letter_bytes_max = settings.dead_letter_bytes_max
        self._policy = policy
        self._keeps_originals = policy.pseudonyms is None
        self._links = WrittenLinks(settings.limits)
        self._sources: dict[tuple[str, int], bytes] = {}

    def route(self, topic: str, partition: int, records: Sequence[SourceRecord], now_ms: int, routed: Routed) -> None:
        """Add to `routed` where each of these records of a source partition goes.

        `now_ms` is the router's clock: no arrival is later than that.
        """
        log, others = routed.log, 0
        partitions = self._partitions
        policy, keeps_originals = self._policy, self._keeps_originals
        erasures = self._erasures
        source = self._sources.get((topic, partition))
        if source is None:
            source = self._sources[topic, partition] = source_of(topic, partition)
        refusal: Refused | None
        for record in records:
            found = read_touchpoint(record.value, policy)
            timestamp = record.timestamp
            if not 0 <= timestamp <= now_ms:
                timestamp = now_ms
            if isinstance(found, Admitted):
                if found.occurred_at <= erasures.latest and erasures.drops(
                    found.occurred_at, found.profile_id, found.lower
                ):
                    others += 1
                    routed.erased[topic] += 1
                    continue
                key = found.profile_id.encode()
                # The key of a source may be the very thing that a pseudonym stands for.
                value = encode_from(source, record.offset, found, key, record.key if keeps_originals else None)
                if len(key) + len(value) < _SURELY_FITS_BYTES or self._fits(key, value):
                    headers = record.headers
                    passed_on = _passed_on(headers) if headers else ()
                    log[partition_for(key, partitions)].append((key, value, passed_on, timestamp))
                    if found.lower:
                        self._link(found, passed_on, timestamp, routed)
                    continue
                refusal = self._too_large(key, value)
            else:
                refusal = self._operate(found, topic, record, timestamp, routed)
            others += 1
            if refusal is not None:
                self._refuse(refusal, Source(topic, partition, record.offset), record, routed)
        if len(records) > others:
            routed.admitted[topic] += len(records) - others
            routed.written["touchpoint"] += len(records) - others

    def _operate(
        self, found: Operation | Refused, topic: str, record: SourceRecord, timestamp: int, routed: Routed
    ) -> Refused | None:
        """Write an operation; what was refused, or does not fit, is given back."""
        if isinstance(found, Refused):
            return found
        if self._is_erased(found):
            routed.erased[topic] += 1
            return None
        key, value = found.profile_id.encode(), encode_message(found.message)
        if not self._fits(key, value):
            return self._too_large(key, value)
        headers = _passed_on(record.headers)
        routed.log[partition_for(key, self._partitions)].append((key, value, headers, timestamp))
        routed.admitted[topic] += 1
        routed.written[found.kind] += 1
        return None

    def _is_erased(self, found: Operation) -> bool:
        """An erasure goes on whenever it comes; what else was said of erased identifiers does not."""
        message = found.message
        if isinstance(message, Erase):
            return False
        parents = () if isinstance(message, Block) else (message.parent,)
        return self._erasures.drops_any(found.occurred_at, (message.profile_id, *parents))

    def _link(self, found: Admitted, headers: tuple[Header, ...], timestamp: int, routed: Routed) -> None:
        """Say of each lower identifier that it was seen with the owner. Such a record fits wherever a log does."""
        for link in links_of(found):
            if self._links.is_new(link.profile_id, link.parent, link.at, timestamp):
                key, value = link.profile_id.encode(), encode_message(link)
                routed.log[partition_for(key, self._partitions)].append((key, value, headers, timestamp))
                routed.written["link"] += 1

    def _too_large(self, key: bytes, value: bytes) -> Refused:
        return Refused(
            Reason.RECORD_TOO_LARGE,
            f"{len(key) + len(value)} bytes with key and envelope; at most {self._bytes_max}",
        )

    def _fits(self, key: bytes, value: bytes) -> bool:
        return BATCH_OVERHEAD_BYTES + _TRACE_HEADER_BYTES + len(key) + len(value) <= self._bytes_max

    def _refuse(self, found: Refused, source: Source, record: SourceRecord, routed: Routed) -> None:
        letter = DeadLetter(
            found.reason,
            found.detail,
            "router",
            source,
            record.timestamp if record.timestamp >= 0 else None,
            record.key if self._keeps_originals else None,
            record.value if self._keeps_originals else None,
            tuple(record.headers) if self._keeps_originals else (),
            withheld=not self._keeps_originals,
        )
        routed.refused[source.topic, found.reason] += 1
        message = dead_letter_message(letter, self._letter_bytes_max)
        routed.dead_letters[source.partition % self._dead_letter_partitions].append(message)


def _passed_on(headers: Sequence[Header]) -> tuple[Header, ...]:
    for header in headers:
        if header[0] == "traceparent" and len(header[1] or b"") <= _TRACE_BYTES_MAX:
            return (header,)
    return ()
