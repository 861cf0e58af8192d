"""A batch as messages per topic and partition, each within its topic's size limit.

An output that would be too large does not stop the task. A stage change is too large only for its evidence: as many
of the ids are kept as fit, because a gap in the revisions would be worse, and the touchpoint that caused it goes to
the dead letters with the whole number in the detail. A dead letter that is too large keeps its headers, which say
where the original is, and loses its value. A forward that is too large is cut into several with fewer touchpoints each.
One touchpoint alone fits, as only a few fields of it go on and the log has taken it whole before; should one not fit
nevertheless, the forward is a dead letter.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from journey_stream.events.decisions import ProfileChanged, StageChanged
from journey_stream.events.erasures import encode_erasure
from journey_stream.events.framing import FRAME_BYTES
from journey_stream.events.log import Deliver, Retract, Source, encode_message, original_of
from journey_stream.events.reasons import Reason
from journey_stream.events.wire import (
    encode_identity_change,
    encode_profile,
    encode_risk_change,
    encode_stage_change,
    identity_change_headers,
    risk_change_headers,
    stage_change_headers,
)
from journey_stream.worker.batch import (
    Batch,
    Caused,
    CausedIdentity,
    CausedRisk,
    Forgotten,
    Forwarded,
    LogRecord,
    kind_of,
)
from journey_stream.worker.changelog import KEY, Position, encode_position
from journey_stream.worker.config import Settings
from journey_stream.worker.dead_letters import DeadLetter, Header, dead_letter_headers
from journey_stream.worker.erasure_key import ERASURES_PARTITION, erasure_record_key
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.murmur import partition_for

BATCH_OVERHEAD_BYTES: Final = 61 + 5 + 10 + 5 + 1 + 3 * 5
"""Header of a Kafka batch with one record, and the most that the record's own lengths can take."""

_HEADER_OVERHEAD_BYTES: Final = 2 * 5
_PROFILE_HEADERS: tuple[Header, ...] = (("content-type", b"application/json"),)
_NO_HEADERS: list[Header] = []


Row = tuple[bytes | None, bytes | None, Sequence[Header], int | None]
"""A message where millions are made in a loop and a name would cost as much as the rest: see `Message`."""


StateRecords = list[tuple[bytes, bytes | None]]

Place = tuple[str, int]
"""A topic and the number of a partition of it."""


class Message(NamedTuple):
    """One record to write. `timestamp` None means the time of writing, so that retention counts from there."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()
    timestamp: int | None = None


def message_bytes(message: Message) -> int:
    """An upper bound for the Kafka batch that holds this message alone, which is what a topic's limit is about."""
    size = BATCH_OVERHEAD_BYTES + len(message.key or b"") + len(message.value or b"")
    for name, value in message.headers:
        size += _HEADER_OVERHEAD_BYTES + len(name.encode()) + len(value or b"")
    return size


class Outbox:
    """Turns the batches of one task into messages.

    `frames` says what stands before each value of a topic (`schema_registry.frames_of`); of most topics nothing does.
    """

    def __init__(self, settings: Settings, partition: int, frames: Mapping[str, bytes] | None = None) -> None:
        self._topics = settings.topics
        self._partitions = settings.partitions
        self._partition = partition
        self._bytes_max = settings.record_bytes_max
        self._letter_bytes_max = settings.dead_letter_bytes_max
        self._frames = dict(frames or {})
        self._output_bytes_max = settings.record_bytes_max - (FRAME_BYTES if self._frames else 0)
        self._source = f"/{settings.application_id}/{partition}".encode()

    def places(self) -> list[Place]:
        """Every partition that `messages` can write to."""
        topics = self._topics
        of_one_task = (
            *(topics.stage_changes, topics.churn_risk, topics.identity_changes, topics.profiles),
            *(topics.dead_letters, topics.state),
        )
        own = [(topic, self._partition) for topic in of_one_task]
        log = [(topics.log, partition) for partition in range(self._partitions)]
        return [*own, *log, (topics.erasures, ERASURES_PARTITION)]

    def messages(self, batch: Batch) -> dict[Place, Sequence[Row]]:
        """Messages per topic and partition, in order. The position record is always among them.

        All go to the task's own partition but what it forwards, which goes where the log has the key, and erasures,
        which have one partition. Adds to the batch the dead letters of outputs that are too large.
        """
        letters = batch.dead_letters
        changes = [self._stage_change(caused, letters) for caused in batch.changes]
        forwards = self._forwards(batch.forwards, letters) if batch.forwards else {}
        risks = [self._risk_change(caused) for caused in batch.risks]
        identities = [self._identity_change(caused) for caused in batch.identities]
        erasures = self._forget(batch.forgotten, changes, risks, identities) if batch.forgotten else {}
        views = [_view(id_, view) for id_, view in batch.views.items()]
        position = Position(batch.next_offset, batch.clock, self._partitions)
        state = self._state(batch.changelog)
        state.append(Message(KEY, encode_position(position)))
        found: dict[str, Sequence[Row]] = {
            self._topics.stage_changes: changes,
            self._topics.churn_risk: risks,
            self._topics.identity_changes: identities,
            self._topics.profiles: views,
            self._topics.dead_letters: [dead_letter_message(letter, self._letter_bytes_max) for letter in letters],
            self._topics.state: state,
        }
        for topic, frame in self._frames.items():
            found[topic] = [_framed(row, frame) for row in found[topic]]
        own: dict[Place, Sequence[Row]] = {
            (topic, self._partition): messages for topic, messages in found.items() if messages
        }
        return own | forwards | erasures

    def _forget(
        self,
        forgotten: Sequence[Forgotten],
        changes: list[Message],
        risks: list[Message],
        identities: list[Message],
    ) -> dict[Place, Sequence[Row]]:
        """Put null values into what is published, each where its erasure came; returns the records of erasures."""
        # From the last one on, so that the places of the others stay what they are.
        for erased, *places in reversed(forgotten):
            if erased.is_whole:
                null = Message(erased.profile_id.encode(), None)
                for messages, place in zip((changes, risks, identities), places, strict=True):
                    messages.insert(place, null)
        rows = [
            Message(erasure_record_key(erased.name), encode_erasure(erased.key, erased.spans))
            for erased, *_ in forgotten
        ]
        return {(self._topics.erasures, ERASURES_PARTITION): rows}

    def _state(self, changelog: StateRecords) -> list[Row]:
        rows: list[Row] = []
        bytes_max = self._bytes_max - BATCH_OVERHEAD_BYTES
        for key, value in changelog:
            if value is not None and len(key) + len(value) > bytes_max:
                raise WorkerError(
                    f"A state record of {len(key) + len(value)} bytes does not fit {self._topics.state}. Raise "
                    "record_bytes_max, and max.message.bytes of the topics with it (journey-stream topics check)."
                )
            rows.append((key, value, (), None))
        return rows

    def _stage_change(self, caused: Caused, letters: list[DeadLetter]) -> Message:
        change = caused.change
        key = change.profile_id.encode()
        headers = [*stage_change_headers(change, self._source), *_trace_about(key, caused.record)]
        message = Message(key, encode_stage_change(change), headers)
        bytes_max = self._output_bytes_max
        if len(message.value or b"") + 10_000 < bytes_max or message_bytes(message) <= bytes_max:
            return message
        kept = change.evidence
        while kept and message_bytes(message) > bytes_max:
            kept = kept[: len(kept) // 2]
            message = message._replace(value=encode_stage_change(change._replace(evidence=kept)))
        letters.append(self._too_large(caused, len(kept)))
        return message

    def _risk_change(self, caused: CausedRisk) -> Message:
        # One touchpoint for each part of the score, whose ids are short: always far below any topic's limit.
        change = caused.change
        key = change.profile_id.encode()
        headers = [*risk_change_headers(change, self._source), *_trace_about(key, caused.record)]
        return Message(key, encode_risk_change(change), headers)

    def _identity_change(self, caused: CausedIdentity) -> Message:
        # Two identifiers and the ids of the touchpoints that link them: always far below any topic's limit.
        change = caused.change
        headers = [*identity_change_headers(change, self._source), *_trace_of(caused.record)]
        return Message(change.profile_id.encode(), encode_identity_change(change), headers)

    def _forwards(self, forwards: list[Forwarded], letters: list[DeadLetter]) -> dict[Place, list[Row]]:
        """What goes to the log, by partition. Its time is that of the log record that it comes from."""
        log, partitions, bytes_max = self._topics.log, self._partitions, self._bytes_max
        found: dict[Place, list[Row]] = {}
        waiting = forwards[::-1]
        while waiting:
            said, record = forward = waiting.pop()
            key = said.profile_id.encode()
            headers = _trace_of(record) if record.headers else _NO_HEADERS
            row = Message(key, encode_message(said), headers, record.timestamp)
            if message_bytes(row) <= bytes_max:
                found.setdefault((log, partition_for(key, partitions)), []).append(row)
            elif isinstance(said, (Deliver, Retract)) and len(said.touchpoints) > 1:
                waiting += [Forwarded(half, record) for half in reversed(_halves(said))]
            else:
                letters.append(self._too_large_forward(forward, row))
        return found

    def _too_large_forward(self, forward: Forwarded, row: Message) -> DeadLetter:
        said, record = forward
        detail = (
            f"the {kind_of(said)} for {said.profile_id} takes {message_bytes(row)} bytes, more than the "
            f"{self._bytes_max} that {self._topics.log} holds: {said.profile_id} does not know of it"
        )
        source = Source(self._topics.log, self._partition, record.offset)
        return DeadLetter(
            Reason.OUTPUT_TOO_LARGE, detail, "task", source, record.timestamp, row.key, row.value, record.headers
        )

    def _too_large(self, caused: Caused, kept: int) -> DeadLetter:
        change, record = caused
        detail = _cut_detail(change, kept, self._bytes_max)
        original = original_of(record.value)
        if original is None or record.key != change.profile_id.encode():
            source, key, value = Source(self._topics.log, self._partition, record.offset), None, None
        else:
            source, key, value = original
        key = change.profile_id.encode() if key is None else key
        return DeadLetter(Reason.OUTPUT_TOO_LARGE, detail, "task", source, record.timestamp, key, value, record.headers)


def _view(profile_id: str, view: ProfileChanged | None) -> Message:
    if view is None:
        return Message(profile_id.encode(), None)
    return Message(profile_id.encode(), encode_profile(view), _PROFILE_HEADERS)


def _halves(said: Deliver | Retract) -> list[Deliver | Retract]:
    """The same in two messages, the earlier touchpoints first."""
    middle = len(said.touchpoints) // 2
    runs = said.touchpoints[:middle], said.touchpoints[middle:]
    return [replace(said, at=run[-1].at, touchpoints=run) for run in runs]


def _trace_of(record: LogRecord) -> list[Header]:
    return [header for header in record.headers if header[0] == "traceparent"][:1]


def _trace_about(key: bytes, record: LogRecord) -> list[Header]:
    """The trace of a record in what it says of its own profile. What time does to others meanwhile is not its doing."""
    return _trace_of(record) if record.headers and record.key == key else _NO_HEADERS


def _framed(row: Row, frame: bytes) -> Row:
    key, value, headers, timestamp = row
    return row if value is None else (key, frame + value, headers, timestamp)


def dead_letter_message(letter: DeadLetter, bytes_max: int) -> Message:
    """The message of a dead letter. One that is too large is cut down until it fits, and says so in a header."""
    whole = Message(letter.key, letter.value, dead_letter_headers(letter))
    if message_bytes(whole) <= bytes_max:
        return whole
    cut: Header = ("dead_letter_cut", b"%d bytes of value" % len(letter.value or b""))
    without_value = whole._replace(value=None, headers=[*whole.headers, cut])
    if letter.key is not None and message_bytes(without_value) <= bytes_max:
        return without_value
    # A key or headers beyond any use; a message needs one of key and value.
    bare = dead_letter_headers(letter._replace(headers=()))
    return without_value._replace(key=(letter.key or b"")[:1_000], headers=[*bare, cut])


def _cut_detail(change: StageChanged, kept: int, bytes_max: int) -> str:
    return (
        f"stage change {change.change_id} (revision {change.revision}) cites {len(change.evidence)} touchpoints, more "
        f"than {bytes_max} bytes hold; it was published with the first {kept} of them"
    )
