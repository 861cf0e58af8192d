"""Spans for touchpoints that come with a sampled trace, and for nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="pip install 'journey-stream[otel]' brings it")

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from journey_stream.engine.partition import Partition
from journey_stream.events.reasons import Reason
from journey_stream.journey.load import preset
from journey_stream.worker import spans as module
from journey_stream.worker.batch import Batch, Processor
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.murmur import partition_for
from journey_stream.worker.outbox import Outbox
from journey_stream.worker.routing import Routed, Routing
from journey_stream.worker.spans import Spans, TaskSpans, TracedRouting, otlp_spans
from tests.integration.journeys import SILENCE_MS, model
from tests.unit.worker.records import MINUTE_MS, T0, Rec, logged, touchpoint

SETTINGS = Settings(partitions=4)
POLICY = preset("six-stages").policy()
NOW = T0 + 1_000
TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = (("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01".encode()),)
UNSAMPLED = (("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-00".encode()),)
CUSTOMER = "ann.secret@example.org"


class Exported:
    """Spans, and what of them has ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.spans = Spans(self.provider)

    @property
    def ended(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def exported() -> Iterator[Exported]:
    made = Exported()
    yield made
    made.provider.shutdown()


@pytest.fixture
def routing(exported: Exported) -> TracedRouting:
    return exported.spans.of_router(SETTINGS, Routing(SETTINGS, 3, POLICY))


@pytest.fixture
def task(exported: Exported) -> TaskSpans:
    return exported.spans.of_task(SETTINGS, 2)


def route(routing: Routing | TracedRouting, *records: Rec) -> Routed:
    routed = Routed.none()
    routing.route("touchpoints.web", 1, records, NOW, routed)
    return routed


def name_of(span: ReadableSpan) -> bytes:
    """The `traceparent` that names a span."""
    assert span.context is not None
    return b"00-%032x-%016x-01" % (span.context.trace_id, span.context.span_id)


def parent_of(span: ReadableSpan) -> str:
    assert span.parent is not None
    return f"{span.parent.span_id:016x}"


def of_customer(event_id: str, customer: str = CUSTOMER, headers: Any = SAMPLED, **fields: Any) -> Rec:
    return Rec(None, touchpoint(event_id, customer_id=customer, **fields), headers=headers)


def test_a_record_with_a_sampled_trace_is_a_span_and_the_log_names_it(
    exported: Exported, routing: TracedRouting
) -> None:
    record = of_customer("e1", identifiers={"email": "ann@example.org"})._replace(offset=17)

    routed = route(routing, record)

    [span] = exported.ended
    assert ("route touchpoints.web", SpanKind.CONSUMER) == (span.name, span.kind)
    assert (TRACE_ID, PARENT_ID) == (f"{span.context.trace_id:032x}", parent_of(span))
    assert {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "route",
        "messaging.consumer.group.name": "journey-stream-router",
        "messaging.destination.name": "touchpoints.web",
        "messaging.destination.partition.id": "1",
        "messaging.kafka.offset": 17,
        "journey.written.touchpoint": 1,
        "journey.written.link": 1,
    } == dict(span.attributes or {})
    headers = [row[2] for rows in routed.log.values() for row in rows]
    assert [(("traceparent", name_of(span)),)] * 2 == headers


@pytest.mark.parametrize(
    "headers",
    [(), UNSAMPLED, (("traceparent", b"00-1"),), (("traceparent", None),), (("h", b"x"),), (("traceparent", b"\xff"),)],
    ids=["none", "not sampled", "no trace", "null", "another header", "no text"],
)
def test_anything_else_goes_the_way_that_it_goes_without_spans(
    exported: Exported, routing: TracedRouting, task: TaskSpans, headers: Any
) -> None:
    record = of_customer("e1", headers=headers)
    log_record = logged(touchpoint(), headers=headers)

    assert route(Routing(SETTINGS, 3, POLICY), record) == route(routing, record)
    assert log_record is task.begun([log_record])[0]
    assert [] == exported.ended


def test_order_counts_and_dead_letters_are_those_of_a_router_without_spans(
    exported: Exported, routing: TracedRouting
) -> None:
    records = [
        of_customer(f"e{number}", f"c{number % 5}", SAMPLED if number % 3 == 0 else (), **fields)
        for number in range(40)
        for fields in ({}, {"type": None} if number % 7 == 0 else {"channel": "crm"})
    ]

    plain, traced = route(Routing(SETTINGS, 3, POLICY), *records), route(routing, *records)

    assert 2 * 14 == len(exported.ended)
    assert plain._replace(log={}) == traced._replace(log={})
    for number, rows in plain.log.items():
        assert [(key, value, at) for key, value, _, at in rows] == [(k, v, at) for k, v, _, at in traced.log[number]]


def test_a_refused_record_says_why_and_its_dead_letter_has_the_headers_that_it_came_with(
    exported: Exported, routing: TracedRouting
) -> None:
    routed = route(routing, of_customer("e1", type=None))

    [span] = exported.ended
    assert (StatusCode.ERROR, "dead letter: invalid_touchpoint") == (span.status.status_code, span.status.description)
    [row] = routed.dead_letters[1]
    assert SAMPLED[0] in row[2]


def committed(task: TaskSpans, processor: Processor, *records: Rec) -> Batch:
    processor.apply(task.begun(records))
    batch = processor.finish()
    task.committed(batch)
    return batch


def test_what_is_decided_names_a_span_that_ends_when_it_is_committed(exported: Exported, task: TaskSpans) -> None:
    processor = Processor(Partition(model()), "journey.log", 2)
    processor.apply(task.begun([logged(touchpoint(type="add_to_cart"), 8, headers=(*SAMPLED, ("h", b"x")))]))
    batch = processor.finish()
    before = list(exported.ended)

    task.committed(batch)

    [span] = exported.ended
    assert [] == before
    assert ("decide journey.log", PARENT_ID, 8) == (
        *(span.name, parent_of(span)),
        (span.attributes or {})["messaging.kafka.offset"],
    )
    assert 1 == (span.attributes or {})["journey.stage_changes"]
    [(_, _, headers, _)] = Outbox(SETTINGS, 2).messages(batch)["journey.stage-changes", 2]
    assert [name_of(span)] == [value for name, value in headers if name == "traceparent"]


def test_a_span_counts_what_its_record_did_and_not_what_time_did_to_others(exported: Exported, task: TaskSpans) -> None:
    processor = Processor(Partition(model()), "journey.log", 2)
    later = T0 + SILENCE_MS + MINUTE_MS
    quiet = logged(touchpoint(type="add_to_cart"), 8)

    batch = committed(
        task, processor, quiet, logged(touchpoint("e2", later, customer_id="c2"), 9, later, headers=SAMPLED)
    )

    assert ["touchpoint", "touchpoint", "timer"] == [caused.change.cause for caused in batch.changes]
    [span] = exported.ended
    assert 1 == (span.attributes or {})["journey.stage_changes"]


def test_a_touchpoint_that_becomes_a_dead_letter_says_why(exported: Exported, task: TaskSpans) -> None:
    processor = Processor(Partition(model()), "journey.log", 2)

    batch = committed(task, processor, logged(touchpoint("e1", T0 - 40 * 24 * 60 * MINUTE_MS), 5, headers=SAMPLED))

    [span] = exported.ended
    assert [Reason.TOO_LATE] == [letter.reason for letter in batch.dead_letters]
    assert ("too_late", StatusCode.ERROR) == (
        (span.attributes or {})["journey.dead_letter.reason"],
        span.status.status_code,
    )


def test_what_is_not_committed_ends_as_an_error_and_is_decided_again_with_another_span(
    exported: Exported, task: TaskSpans
) -> None:
    records = [logged(touchpoint(f"e{number}"), number, headers=SAMPLED) for number in range(4)]
    processor = Processor(Partition(model()), "journey.log", 2)
    committed(task, processor, *records[:2])
    processor.apply(task.begun(records[2:]))
    processor.finish()

    task.thrown_away()
    again = Processor(Partition(model()), "journey.log", 2)
    committed(task, again, *records[2:])

    assert [(0, True), (1, True), (2, False), (3, False), (2, True), (3, True)] == [
        ((span.attributes or {})["messaging.kafka.offset"], span.status.is_ok) for span in exported.ended
    ]
    assert 6 == len({name_of(span) for span in exported.ended})


def test_no_span_names_a_customer(exported: Exported, routing: TracedRouting, task: TaskSpans) -> None:
    bad = of_customer("e3", channel=CUSTOMER, occurred_at=CUSTOMER)._replace(key=CUSTOMER.encode())
    routed = route(routing, of_customer("e1", type="add_to_cart"), bad)
    [row] = routed.log[partition_for(CUSTOMER.encode(), 4)]
    log_record = Rec(row[0], row[1], row[3] or 0, 5, tuple(row[2]))

    committed(task, Processor(Partition(model()), "journey.log", 2), log_record)

    assert 3 == len(exported.ended)
    assert not [span for span in exported.ended if CUSTOMER in span.to_json()]
    route_span, _, decide_span = exported.ended
    assert route_span.context is not None
    assert f"{route_span.context.span_id:016x}" == parent_of(decide_span)


def test_a_span_that_a_sampler_drops_is_nobodys_parent() -> None:
    spans = Spans(TracerProvider(sampler=ALWAYS_OFF))
    record = logged(touchpoint(), headers=SAMPLED)

    routed = route(spans.of_router(SETTINGS, Routing(SETTINGS, 3, POLICY)), of_customer("e1"))

    assert [SAMPLED] == [row[2] for rows in routed.log.values() for row in rows]
    assert record is spans.of_task(SETTINGS, 0).begun([record])[0]


def test_the_service_is_the_application_unless_the_usual_variables_name_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)
    ours = otlp_spans(Settings(application_id="shop"))
    monkeypatch.setenv("OTEL_SERVICE_NAME", "theirs")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    named = otlp_spans(Settings(application_id="shop"))

    found = [dict(spans._provider.resource.attributes) for spans in (ours, named)]

    ours.close()
    named.close()
    assert ["shop", "theirs"] == [one["service.name"] for one in found]
    assert "test" == found[1]["deployment.environment.name"]


def test_a_collector_that_does_not_answer_keeps_no_worker_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    class Stuck(InMemorySpanExporter):
        def export(self, spans: Any) -> Any:
            answers.wait(30)
            return super().export(spans)

    monkeypatch.setattr(module, "CLOSE_SECONDS_MAX", 0.1)
    provider, exporter = TracerProvider(), Stuck()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    spans = Spans(provider)
    route(spans.of_router(SETTINGS, Routing(SETTINGS, 3, POLICY)), of_customer("e1"))

    began = time.monotonic()
    spans.close()
    waited = time.monotonic() - began
    unsent = exporter.get_finished_spans()
    answers.set()

    assert ((), True) == (unsent, waited < 10)


def test_variables_that_make_no_sense_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")

    with pytest.raises(
        WorkerError, match=r"tracing: otlp cannot be set up: .*queue_size.* Look at the variables OTEL_"
    ):
        otlp_spans(Settings())
