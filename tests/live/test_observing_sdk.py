"""Metrics, logs and traces of a real server while the official SDKs work."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from typing import TYPE_CHECKING

import httpx
import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from localzure.testing import LocalZure

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class _Collector(BaseHTTPRequestHandler):
    """Takes what an OpenTelemetry collector takes."""

    received: Queue[bytes] = Queue()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.put(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
        self.send_response(200)
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[HTTPServer]:
    """A collector of traces."""
    server = HTTPServer(("127.0.0.1", 0), _Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_requests_are_counted_and_logged() -> None:
    with LocalZure(extra_args=["--access-log", "--audit-log"]) as server:
        with BlobServiceClient.from_connection_string(server.blob_connection_string) as blobs:
            container = blobs.create_container("metered")
            container.upload_blob("blob", b"x" * 1000)
            assert container.download_blob("blob").readall() == b"x" * 1000
            with pytest.raises(ResourceExistsError):
                blobs.create_container("metered")
        text = httpx.get(f"{server.endpoints['gateway']}/_localzure/metrics").text
        counts = {
            (sample.labels["operation"], sample.labels["status"]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "gateway_requests_total"
        }
        assert counts["Container_Create", "201"] == 1
        assert counts["Container_Create", "409"] == 1
        assert counts["BlockBlob_Upload", "201"] == 1
        assert counts["Blob_Download", "206"] == 1
        assert "process_resident_memory_bytes" in text
        assert '/devstoreaccount1/metered/blob" 206 1000B' in server.logs
        assert "owner of devstoreaccount1 from 127.0.0.1: BlockBlob_Upload" in server.logs


def test_what_a_client_finds_its_requests_by_comes_back() -> None:
    headers = {"x-correlation-id": "c-1", "x-request-id": "r-1", "baggage": "a=b"}
    with LocalZure() as server:
        reply = httpx.get(f"{server.endpoints['blob']}/devstoreaccount1?comp=list", headers=headers)
        assert {name: reply.headers[name] for name in headers} == headers


def test_a_request_is_a_span_of_its_clients_trace(collector: HTTPServer) -> None:
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    with LocalZure(extra_args=["--otel-endpoint", endpoint]) as server:
        traced = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-ms-version": "2021-08-06"}
        httpx.get(f"{server.endpoints['blob']}/devstoreaccount1?comp=list", headers=traced)
    exported = ExportTraceServiceRequest.FromString(_Collector.received.get(timeout=10))
    spans = [span for each in exported.resource_spans for scope in each.scope_spans for span in scope.spans]
    (span,) = [span for span in spans if span.trace_id.hex() == TRACE]
    assert (span.parent_span_id.hex(), span.name) == ("00f067aa0ba902b7", "Service_ListContainersSegment")
