"""Spans of OpenTelemetry for touchpoints that come with a sampled trace, and for nothing else. Needs the extra `otel`.

A record of a source has a span `route`, and each log record that comes of it a span `decide`. The first is a child of
what the record's `traceparent` names, the second of the first; what goes on names the span that it comes of, so that
the spans of subscribers are children in their turn.

No span names a customer: attributes hold topics, positions, counts and reasons, never a key, a value or a detail.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from journey_stream import __version__
from journey_stream.events.reasons import Reason
from journey_stream.worker.batch import Batch, LogRecord
from journey_stream.worker.config import Settings
from journey_stream.worker.dead_letters import Header
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.routing import Routed, Routing, SourceRecord

TRACEPARENT: Final = "traceparent"
CLOSE_SECONDS_MAX: Final = 5.0
THROWN_AWAY: Final = "not committed: nothing of this is seen by anybody, and the record is decided again"

_propagator: Final = TraceContextTextMapPropagator()


def otlp_spans(settings: Settings) -> Spans:
    """Spans that are sent by OTLP over HTTP, as the variables OTEL_* say. Raises WorkerError if these make no sense."""
    try:
        ours = Resource({SERVICE_NAME: settings.application_id, SERVICE_VERSION: __version__})
        given = OTELResourceDetector().detect()
        exporter = OTLPSpanExporter()
        provider = TracerProvider(resource=Resource.create(dict(ours.merge(given).attributes)))
        provider.add_span_processor(BatchSpanProcessor(exporter))
    except (OSError, ValueError) as error:
        raise WorkerError(f"tracing: otlp cannot be set up: {error}. Look at the variables OTEL_*.") from error
    return Spans(provider)


class Spans:
    """The spans of one worker, to be sent by `provider`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("journey_stream", __version__)

    def close(self) -> None:
        """Send what waits, for as long as that may take; what is left then is lost."""
        # By itself it tries for half a minute to reach a collector that is away.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS_MAX)

    def of_router(self, settings: Settings, routing: Routing) -> TracedRouting:
        """`routing`, with spans."""
        return TracedRouting(self, settings.router_group, routing)

    def of_task(self, settings: Settings, partition: int) -> TaskSpans:
        """Those of the task of a partition."""
        return TaskSpans(self, settings, partition)

    def begin(self, operation: str, parent: Context, group: str, topic: str, partition: int, offset: int) -> Span:
        """The span of what is done with one record."""
        return self._tracer.start_span(
            f"{operation} {topic}",
            context=parent,
            kind=SpanKind.CONSUMER,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.operation.name": operation,
                "messaging.consumer.group.name": group,
                "messaging.destination.name": topic,
                "messaging.destination.partition.id": str(partition),
                "messaging.kafka.offset": offset,
            },
        )


class TracedRouting:
    """Routes as `routing` does, and makes a span for each record with a sampled trace."""

    def __init__(self, spans: Spans, group: str, routing: Routing) -> None:
        self._spans = spans
        self._group = group
        self._routing = routing

    def route(self, topic: str, partition: int, records: Iterable[SourceRecord], now_ms: int, routed: Routed) -> None:
        """As `Routing.route`. The order stays: whatever comes before a record with a trace is routed before it."""
        waiting: list[SourceRecord] = []
        for record in records:
            parent = _sampled(record.headers) if record.headers else None
            if parent is None:
                waiting.append(record)
                continue
            self._routing.route(topic, partition, waiting, now_ms, routed)
            waiting = []
            span = self._spans.begin("route", parent, self._group, topic, partition, record.offset)
            self._route_one(span, topic, partition, record, now_ms, routed)
            span.end()
        self._routing.route(topic, partition, waiting, now_ms, routed)

    def _route_one(
        self, span: Span, topic: str, partition: int, record: SourceRecord, now_ms: int, routed: Routed
    ) -> None:
        alone = Routed.none()
        self._routing.route(topic, partition, [record], now_ms, alone)
        name = _name_of(span)
        for number, rows in alone.log.items():
            routed.log[number] += [
                (key, value, headers if name is None else ((TRACEPARENT, name),), timestamp)
                for key, value, headers, timestamp in rows
            ]
        for number, rows in alone.dead_letters.items():
            routed.dead_letters[number] += rows
        routed.admitted.update(alone.admitted)
        routed.refused.update(alone.refused)
        routed.written.update(alone.written)
        routed.erased.update(alone.erased)
        for kind, count in alone.written.items():
            span.set_attribute(f"journey.written.{kind}", count)
        for _, reason in alone.refused:
            _refused(span, reason)


class _Traced(NamedTuple):
    """A log record whose consequences name its span."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    offset: int
    headers: Sequence[Header]


class _Open(NamedTuple):
    offset: int
    name: bytes
    span: Span


class TaskSpans:
    """The spans of one task: each from when a record is applied until what comes of it is committed, or thrown away."""

    def __init__(self, spans: Spans, settings: Settings, partition: int) -> None:
        self._spans = spans
        self._group = settings.tasks_group
        self._topic = settings.topics.log
        self._partition = partition
        self._open: deque[_Open] = deque()

    def begun(self, records: Sequence[LogRecord]) -> Sequence[LogRecord]:
        """These records, to be applied; those with a sampled trace name their spans."""
        return [self._begun(record) if record.headers else record for record in records]

    def _begun(self, record: LogRecord) -> LogRecord:
        parent = _sampled(record.headers)
        if parent is None:
            return record
        span = self._spans.begin("decide", parent, self._group, self._topic, self._partition, record.offset)
        name = _name_of(span)
        if name is None:
            return record
        self._open.append(_Open(record.offset, name, span))
        others = [header for header in record.headers if header[0] != TRACEPARENT]
        return _Traced(record.key, record.value, record.timestamp, record.offset, [(TRACEPARENT, name), *others])

    def committed(self, batch: Batch) -> None:
        """All that was applied up to the end of a batch is committed."""
        ended: dict[bytes | None, Span] = {}
        while self._open and self._open[0].offset < batch.next_offset:
            done = self._open.popleft()
            ended[done.name] = done.span
        if not ended:
            return
        for (what, cause), count in Counter(_caused_in(batch)).items():
            if cause in ended:
                ended[cause].set_attribute(f"journey.{what}", count)
        for letter in batch.dead_letters:
            if (name := _name_in(letter.headers)) in ended:
                _refused(ended[name], letter.reason)
        for span in ended.values():
            span.end()

    def thrown_away(self) -> None:
        """Whatever was applied and is not committed will be applied again, with spans of its own."""
        while self._open:
            span = self._open.popleft().span
            span.set_status(Status(StatusCode.ERROR, THROWN_AWAY))
            span.end()


def _caused_in(batch: Batch) -> Iterator[tuple[str, bytes | None]]:
    """Each thing that a batch brought about, and the `traceparent` of the record that caused it."""
    for change, record in batch.changes:
        # What time did to other profiles meanwhile is not this record's doing.
        if record.key == change.profile_id.encode():
            yield "stage_changes", _name_in(record.headers)
    for risk, record in batch.risks:
        if record.key == risk.profile_id.encode():
            yield "risk_changes", _name_in(record.headers)
    for _, record in batch.identities:
        yield "identity_changes", _name_in(record.headers)
    for _, record in batch.forwards:
        yield "forwards", _name_in(record.headers)


def _sampled(headers: Sequence[Header]) -> Context | None:
    """The trace that a record belongs to; None without one, or if nobody records it."""
    name = _name_in(headers)
    if name is None:
        return None
    context = _propagator.extract({TRACEPARENT: name.decode("ascii", errors="replace")}, Context())
    found = trace.get_current_span(context).get_span_context()
    return context if found.is_valid and found.trace_flags.sampled else None


def _name_in(headers: Sequence[Header]) -> bytes | None:
    """The first `traceparent`, as it stands there."""
    for header in headers:
        if header[0] == TRACEPARENT:
            return header[1]
    return None


def _name_of(span: Span) -> bytes | None:
    """The `traceparent` that names a span; None for one that is not recorded, which must not be anybody's parent."""
    if not span.is_recording():
        return None
    found = span.get_span_context()
    trace_id, span_id = trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id)
    return f"00-{trace_id}-{span_id}-{found.trace_flags:02x}".encode()


def _refused(span: Span, reason: Reason) -> None:
    span.set_attribute("journey.dead_letter.reason", reason.value)
    span.set_status(Status(StatusCode.ERROR, f"dead letter: {reason.value}"))
