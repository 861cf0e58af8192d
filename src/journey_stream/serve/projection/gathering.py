"""Gathers records of the topics into a batch for the store."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from journey_stream.events.erasures import Erasures, covers, decode_erasure
from journey_stream.events.framing import unframed
from journey_stream.events.times import to_ms
from journey_stream.serve.projection import messages
from journey_stream.serve.projection.log_records import named_in, read_log_record
from journey_stream.serve.store.batch import Batch, Row
from journey_stream.worker.batch import LogRecord
from journey_stream.worker.config import TopicNames
from journey_stream.worker.errors import WorkerError

FOLLOWED: Final = (*("log", "stage_changes", "churn_risk", "identity_changes", "profiles", "dead_letters", "erasures"),)
"""The topics that are read, by their names in the settings."""


class Gathering:
    """Takes records in the order of each partition; `take` hands over what has come so far.

    Needs to know all that is erased already: touchpoints that come after their erasure are left out.
    """

    def __init__(self, topics: TopicNames, erasures: Erasures) -> None:
        self._topics = topics
        self._erasures = erasures
        self._batch = Batch()
        self._views: dict[str, Row | None] = {}
        self._adders: dict[str, Callable[[int, Iterable[LogRecord]], int]] = {
            topics.log: self._log,
            topics.dead_letters: self._dead_letters,
            topics.erasures: self._add_erasures,
            topics.profiles: self._profiles,
            topics.stage_changes: self._messages(messages.decode_stage, "stage_messages"),
            topics.churn_risk: self._messages(messages.decode_risk, "risk_messages"),
            topics.identity_changes: self._messages(messages.decode_identity, "identity_messages"),
        }

    @property
    def topics(self) -> tuple[str, ...]:
        """Those whose records can be added."""
        return tuple(self._adders)

    @property
    def records(self) -> int:
        """How many have been added since the last `take`."""
        return self._batch.records

    @property
    def is_empty(self) -> bool:
        return not self._batch.records and not self._batch.offsets and not self._batch.erase_all

    def add(self, topic: str, partition: int, records: Iterable[LogRecord]) -> None:
        """Raises WorkerError for a record that no worker of ours wrote."""
        self._batch.records += self._adders[topic](partition, records)

    def passed(self, topic: str, partition: int, next_offset: int) -> None:
        """Everything before `next_offset` has been added."""
        self._batch.offsets[topic, partition] = next_offset

    def missed(self) -> None:
        """Records are gone that nobody has read, and among them may be what erasures said."""
        self._batch.erase_all = True

    def take(self) -> Batch:
        """The batch so far; the next one begins."""
        batch, self._batch = self._batch, Batch()
        if batch.erased:
            # Some may have come before their erasure.
            batch.touchpoints = [row for row in batch.touchpoints if not self._is_erased(row[3], row[1])]
            batch.passes = [row for row in batch.passes if not self._is_erased(row[0], row[3])]
        if len(self._erasures):
            batch.identity_messages = [row for row in batch.identity_messages if not self._names_the_erased(row)]
        if self._views:
            # The last view wins, and whatever was there before goes with it.
            batch.gone["profiles"] = set(self._views)
            batch.profiles = [row for row in self._views.values() if row is not None]
            self._views = {}
        return batch

    def _is_erased(self, profile_id: str, at: int) -> bool:
        return covers(self._erasures.of(profile_id), at)

    def _names_the_erased(self, row: Row) -> bool:
        """Whether a row of identity_messages is about a link to somebody who is erased."""
        parent, at = row[4], to_ms(datetime.fromisoformat(row[5]))
        return parent is not None and self._is_erased(parent, at)

    def _log(self, partition: int, records: Iterable[LogRecord]) -> int:
        touchpoints, passes, latest, count = self._batch.touchpoints, self._batch.passes, self._erasures.latest, 0
        for record in records:
            count += 1
            row = read_log_record(record.key, record.value, record.timestamp, partition, record.offset)
            if row is None:
                continue
            if isinstance(row, list):
                passes += [one for one in row if one[3] > latest or not self._is_erased(one[0], one[3])]
            elif row[1] > latest or not self._is_erased(row[3], row[1]):
                touchpoints.append(row)
        return count

    def _messages(
        self, decode: Callable[[bytes], messages.Message], table: str
    ) -> Callable[[int, Iterable[LogRecord]], int]:
        def add(partition: int, records: Iterable[LogRecord]) -> int:
            count, rows = 0, getattr(self._batch, table)
            for record in records:
                count += 1
                if record.value is None:
                    self._forget(table, record)
                    rows = getattr(self._batch, table)
                    continue
                try:
                    rows.append(decode(unframed(record.value)).row())
                except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                    raise _unreadable(table, partition, record, error) from error
            return count

        return add

    def _forget(self, table: str, record: LogRecord) -> None:
        """A null value: whatever is kept of this profile goes, in the tables and in what waits to come into them."""
        profile_id = (record.key or b"").decode(errors="replace")
        rows: list[Row] = getattr(self._batch, table)
        setattr(self._batch, table, [row for row in rows if row[0] != profile_id])
        self._batch.gone.setdefault(table, set()).add(profile_id)

    def _profiles(self, partition: int, records: Iterable[LogRecord]) -> int:
        count, views = 0, self._views
        for record in records:
            count += 1
            profile_id = (record.key or b"").decode(errors="replace")
            if record.value is None:
                views[profile_id] = None
                continue
            try:
                views[profile_id] = messages.decode_view(unframed(record.value)).row()
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                raise _unreadable("profiles", partition, record, error) from error
        return count

    def _dead_letters(self, partition: int, records: Iterable[LogRecord]) -> int:
        count = 0
        for record in records:
            count += 1
            headers = dict(record.headers)

            def text(name: str, headers: dict[str, bytes | None] = headers) -> str:
                return (headers.get(f"dead_letter_{name}") or b"").decode(errors="replace")

            topic = text("topic")
            named: Any = named_in(record.value) if topic == self._topics.log else None
            position = [int(text(name)) if text(name).isdecimal() else -1 for name in ("partition", "offset")]
            self._batch.dead_letters.append(
                (partition, record.offset, text("reason"), text("stage"), topic, *position, *(named or (None,) * 4))
            )
        return count

    def _add_erasures(self, partition: int, records: Iterable[LogRecord]) -> int:
        count = 0
        for record in records:
            count += 1
            if record.value is None:
                continue
            try:
                name = bytes.fromhex((record.key or b"").decode())
                fingerprint, spans = decode_erasure(record.value)
            except ValueError as error:
                raise _unreadable("erasures", partition, record, error) from error
            if fingerprint != self._erasures.key.fingerprint:
                raise WorkerError(
                    f"{self._topics.erasures} holds erasures by another key than the one given, so that touchpoints of "
                    "erased people would be shown. Give the key that they were written with (erasure_key_file or "
                    "JOURNEY_ERASURE_KEY); if there was none, it was the application_id of then."
                )
            self._batch.erased[name] = self._erasures.add(name, spans)
        return count


def _unreadable(what: str, partition: int, record: LogRecord, error: Exception) -> WorkerError:
    return WorkerError(
        f"A record of the topic for {what.replace('_', ' ')}, partition {partition}, offset {record.offset}, cannot be "
        f"read ({error}). Was it written by something else, or by a later release? Give this application a "
        "topic_prefix of its own, or use the release of its workers."
    )
