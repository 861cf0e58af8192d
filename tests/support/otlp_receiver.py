"""A collector on this machine that takes spans by OTLP over HTTP. Needs the extra `otel`."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.http_server import Asked, LoopbackServer, Reply


class OtlpReceiver(LoopbackServer):
    """`spans` has what was sent, by span id in hex; `services` their `service.name`; `bodies` the very bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: dict[str, Any] = {}
        self.services: set[str] = set()
        self.bodies: list[bytes] = []

    def take(self, body: bytes) -> None:
        self.bodies.append(body)
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            attributes = {one.key: one.value.string_value for one in of_resource.resource.attributes}
            self.services.add(attributes["service.name"])
            for of_scope in of_resource.scope_spans:
                self.spans |= {span.span_id.hex(): span for span in of_scope.spans}

    def reply_to(self, asked: Asked) -> Reply:
        is_known = (asked.method, asked.path) == ("POST", "/v1/traces")
        if is_known:
            self.take(asked.body)
        content = ExportTraceServiceResponse().SerializeToString()
        return Reply(200 if is_known else 404, content, {"content-type": "application/x-protobuf"})
