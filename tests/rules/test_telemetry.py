"""Metrics are counted by names of ours and rendered in the Prometheus text format."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from kernel import telemetry
from kernel.telemetry import Telemetry, Tracing


def test_requests_are_counted_by_route_with_their_durations() -> None:
    measured = Telemetry()
    for seconds in (0.0004, 0.003, 20.0):
        measured.request("GET", "/resident/certificates", 200, seconds)
    measured.count("wallet_verdicts", "already_used")
    measured.gauge("waiting", lambda: 7.0)
    found = {family.name: family for family in text_string_to_metric_families(measured.render().decode())}
    buckets = {
        sample.labels["le"]: sample.value
        for sample in found["suishenban_request_seconds"].samples
        if sample.name.endswith("_bucket")
    }
    assert (buckets["0.001"], buckets["0.005"], buckets["10.0"], buckets["+Inf"]) == (1, 2, 2, 3)
    assert found["suishenban_wallet_verdicts"].samples[0].labels == {"kind": "already_used"}
    assert found["suishenban_waiting"].samples[0].value == 7


def test_a_scanner_of_addresses_cannot_fill_the_memory() -> None:
    measured = Telemetry()
    for number in range(telemetry.SERIES_MAX + 100):
        measured.request("GET", f"/{number}", 404, 0.001)
    assert measured.render().count(b"_count{") <= telemetry.SERIES_MAX + 1
    assert b'route="other"' in measured.render()


def test_a_trace_holds_the_route_and_nothing_personal(tmp_path: Path) -> None:
    file = tmp_path / "spans"
    tracing = Tracing(file, share=0.0, process="test")
    assert tracing.request_span(None) is None
    span = tracing.request_span("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert span is not None
    with span as current:
        current.update_name("GET /Q/{code}")
        current.set_attribute("note", "司马青 310101199001019961")
    tracing.close()
    text = file.read_text()
    assert "0af7651916cd43dd8448eb211c80319c" in text
    assert "GET /Q/{code}" in text
    assert "310101199001019961" not in text
    assert "司马青" not in text
