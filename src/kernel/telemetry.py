"""Counts, durations and spans of this process. Labels are names of ours, never of people."""

import json
import random
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from kernel.log import redact_line

DURATION_BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SERIES_MAX = 5_000
"""How many label combinations one process keeps; further ones are counted together as `other`."""


class _Durations:
    __slots__ = ("buckets", "total_seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(DURATION_BOUNDS_SECONDS) + 1)
        self.total_seconds = 0.0


class Telemetry:
    """What one process measures of itself; `render` says it in the Prometheus text format."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], _Durations] = {}
        self._counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._gauges: dict[str, Callable[[], float]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answered request. `route` is the template (`/bookings/{booking_id}`), never the path asked for."""
        key = (method, route, status)
        durations = self._requests.get(key)
        if durations is None:
            if len(self._requests) >= SERIES_MAX:
                key = ("other", "other", status)
            durations = self._requests.setdefault(key, _Durations())
        durations.buckets[bisect_left(DURATION_BOUNDS_SECONDS, seconds)] += 1
        durations.total_seconds += seconds

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        """One more of `name` (`wallet_verdicts`) with one label of ours (`already_used`)."""
        self._counts[name][label] += by

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """A value read at each rendering (`notifications_waiting`)."""
        self._gauges[name] = read

    def collect(self) -> Iterator[Metric]:
        requests = HistogramMetricFamily(
            "suishenban_request_seconds",
            "Answered requests and how long they took.",
            labels=["method", "route", "status"],
        )
        for (method, route, status), durations in list(self._requests.items()):
            running, shown = 0, []
            for bound, found in zip([*DURATION_BOUNDS_SECONDS, float("inf")], durations.buckets, strict=True):
                running += found
                shown.append(("+Inf" if bound == float("inf") else str(bound), running))
            requests.add_metric([method, route, str(status)], buckets=shown, sum_value=durations.total_seconds)
        yield requests
        for name, by_label in list(self._counts.items()):
            counts = CounterMetricFamily(f"suishenban_{name}", name.replace("_", " "), labels=["kind"])
            for label, found in list(by_label.items()):
                counts.add_metric([label], found)
            yield counts
        for name, read in self._gauges.items():
            yield GaugeMetricFamily(f"suishenban_{name}", name.replace("_", " "), value=read())

    def render(self) -> bytes:
        return generate_latest(self._registry)


class _LinesToFile(SpanExporter):
    """Spans as JSON lines, each redacted as a log line is."""

    def __init__(self, path: Path) -> None:
        self._out = path.open("a", encoding="utf-8")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            self._out.write(redact_line(json.dumps(json.loads(span.to_json(indent=None)), ensure_ascii=False)) + "\n")
        self._out.flush()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._out.close()


class Tracing:
    """OpenTelemetry, opt-in: a share of the requests, and those whose caller traces (W3C traceparent, sampled flag)."""

    def __init__(self, file: Path | None, *, share: float, process: str) -> None:
        self._share = share
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None
        self._incoming = TraceContextTextMapPropagator()
        if file is not None:
            self._provider = TracerProvider()
            self._provider.add_span_processor(BatchSpanProcessor(_LinesToFile(file)))
            self._tracer = self._provider.get_tracer("suishenban", attributes={"process": process})

    @property
    def is_on(self) -> bool:
        return self._tracer is not None

    def request_span(self, traceparent: str | None) -> AbstractContextManager[Any] | None:
        """A span for one request, or None when it is not to be traced."""
        if self._tracer is None:
            return None
        sampled_by_caller = traceparent is not None and traceparent.endswith("-01")
        if not sampled_by_caller and random.random() >= self._share:  # noqa: S311 -- a sample, not a secret
            return None
        parent = self._incoming.extract({"traceparent": traceparent}) if traceparent else Context()
        return self._tracer.start_as_current_span("request", context=parent, kind=SpanKind.SERVER)

    def span(self, name: str) -> AbstractContextManager[Any]:
        """A span for a piece of work of ours; nothing when tracing is off."""
        return nullcontext() if self._tracer is None else self._tracer.start_as_current_span(name)

    def close(self) -> None:
        if self._provider is not None:
            self._provider.shutdown()


def stopwatch() -> float:
    """Seconds on a clock that only goes forward, for durations."""
    return time.perf_counter()
