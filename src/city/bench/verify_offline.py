"""`verify-offline`: a device judges an offline code, all of it on one thread, against the bare signature check.

Ours is base45, zlib, CBOR, the signature, the one encoding, times, scenario, dates, status and replay; the yardstick is
`key.verify(DER, bytes)` of the same key over the same messages. Both take turns code by code, by CPU
time of this thread, so that a busy neighbour disturbs both alike. No server runs; each code is new to its device.
"""

import argparse
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from city.bench.measuring import Result
from suishenban_verify import base45, claim_set, cose, offline_code, status_list, trust_list
from suishenban_verify.claim_set import Claims, Shown, StatusRef
from suishenban_verify.replay import ReplayMemory
from suishenban_verify.signatures import COORDINATE_BYTES, LocalSigner
from suishenban_verify.verifying import Outcome, Verifier

CODES = 4_000
ROUNDS_MAX = 1_000
SHOWN_AGAIN_EVERY = 20
LISTS = 8
STATUSES = 2**20
NOW = 1_772_413_300
"""The devices' clock stands still; nothing here reads another for what is good."""
_CITY = "https://suishenban.example"
_SCENARIO = "hotel-check-in"
_KINDS = ("id-card", "residence-permit", "social-security-card", "driving-licence")
_FIELDS = ("birth_date", "name", "number")
_BINDING_BYTES = 96

T = TypeVar("T")


class _Turns:
    """What both sides took: CPU-seconds of this thread for each code, and seconds by the wall for all."""

    def __init__(self) -> None:
        self.ours: list[float] = []
        self.bare: list[float] = []
        self.ours_seconds = 0.0
        self.bare_seconds = 0.0
        self.refused = 0


class _Bench:
    """The device, a few thousand codes, and what their bare signatures are over."""

    def __init__(self) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        self.signer = LocalSigner("bench", private)
        self.check = private.public_key().verify
        self.texts = [offline_code.text_of(offline_code.sign(_claims(at), self.signer)) for at in range(CODES)]
        messages = [offline_code.read(text).message for text in self.texts]
        self.bare = [(_der_of(message.signature), message.signed) for message in messages]
        purposes = frozenset({trust_list.OFFLINE})
        entry = trust_list.TrustEntry(self.signer.public, purposes, NOW - 86_400, NOW + 86_400)
        city = trust_list.TrustedIssuer(_CITY, "随申办", "Suishenban", None, (entry,))
        self.trust = trust_list.TrustList(_CITY, NOW - 60, NOW + 86_400, 1, {_CITY: city}, ())
        self.lists = {
            uri: status_list.Published(uri, NOW - 30, NOW + 86_400, 60, status_list.StatusList(2, STATUSES))
            for uri in map(_uri, range(LISTS))
        }

    def device(self) -> Verifier:
        """A device that has seen nothing yet."""
        grants = {_SCENARIO: dict.fromkeys(_KINDS, _FIELDS)}
        return Verifier(self.trust, self.lists, ReplayMemory(), scenarios=grants)

    def take_turns(self, device: Verifier, turns: _Turns) -> None:
        """Every bare signature once, and every code once."""
        check, suite, verify, yes = self.check, ec.ECDSA(SHA256()), device.verify, Outcome.VALID
        for (signature, message), text in zip(self.bare, self.texts, strict=True):
            wall, cpu = time.perf_counter(), time.thread_time()
            check(signature, message, suite)
            between_cpu, between = time.thread_time(), time.perf_counter()
            outcome = verify(text, NOW).outcome
            turns.ours.append(time.thread_time() - between_cpu)
            turns.ours_seconds += time.perf_counter() - between
            turns.bare.append(between_cpu - cpu)
            turns.bare_seconds += between - wall
            turns.refused += outcome is not yes


def run(args: argparse.Namespace) -> int:
    """Measure. Exit 0 when every verdict was right, 1 otherwise."""
    if not args.json:
        sys.stdout.write(f"  signing {CODES:,} codes\n")
        sys.stdout.flush()
    bench = _Bench()
    turns = _Turns()
    again: list[Outcome] = []
    deadline = time.monotonic() + args.seconds
    for _ in range(ROUNDS_MAX):
        device = bench.device()
        bench.take_turns(device, turns)
        for text in bench.texts[::SHOWN_AGAIN_EVERY]:
            again += [device.verify(text, NOW).outcome, device.verify(_changed(text), NOW).outcome]
        if time.monotonic() > deadline:
            break
    found = _result(bench, turns, again)
    if not args.json:
        sys.stdout.write(_table(found, len(bench.texts[0])) + "\n")
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 1 if found.violations else 0


def _result(bench: _Bench, turns: _Turns, again: Sequence[Outcome]) -> Result:
    ours, bare = _undisturbed(turns.ours), _undisturbed(turns.bare)
    latencies = _latencies(bench)
    n = len(turns.ours)
    return Result(
        name="verify-offline",
        ours=round(1 / ours, 1),
        yardstick=round(1 / bare, 1),
        ratio=round(bare / ours, 4),
        ratio_of_medians=round(statistics.median(turns.bare) / statistics.median(turns.ours), 4),
        unit="codes per CPU-second of one thread; the yardstick checks the signature alone",
        p50_ms=round(statistics.median(latencies) * 1e3, 4),
        p99_ms=round(statistics.quantiles(latencies, n=100)[98] * 1e3, 4),
        n=n,
        violations=turns.refused + again.count(Outcome.VALID),
        checked=[
            f"every code was good once ({n:,})",
            f"none was good again, and none with one character changed ({len(again):,})",
        ],
        rate_per_second=round(n / turns.ours_seconds, 1),
        yardstick_rate_per_second=round(n / turns.bare_seconds, 1),
        cpu_microseconds=round(ours * 1e6, 2),
        floor={what: round(cost, 2) for what, cost in _steps(bench).items()},
    )


def _undisturbed(turns: Sequence[float]) -> float:
    """The lower quartile: a turn that was interrupted finds its caches cold, and says more of the neighbour."""
    return statistics.quantiles(turns, n=4)[0]


def _latencies(bench: _Bench) -> list[float]:
    """Seconds by the wall that each code took a fresh device."""
    device, found = bench.device(), []
    for text in bench.texts:
        started = time.perf_counter()
        device.verify(text, NOW)
        found.append(time.perf_counter() - started)
    return found


def _steps(bench: _Bench) -> dict[str, float]:
    """Microseconds of CPU that each step takes, alone and warm, so that they come to less than the whole."""
    presented = [offline_code.read(text) for text in bench.texts]
    public = bench.signer.public
    replay = ReplayMemory()
    bodies = [text.removeprefix(offline_code.PREFIX) for text in bench.texts]
    return {
        "base45": _cpu_of(base45.decode, bodies),
        "COSE, taken apart": _cpu_of(cose.read, [code.cwt for code in presented]),
        "signature, ours": _cpu_of(lambda code: public.verify(code.message.signature, code.message.signed), presented),
        "claims, in their one encoding": _cpu_of(claim_set.read, [code.message.payload for code in presented]),
        "replay": _cpu_of(lambda code: replay.claim(code.message.payload[-16:], NOW + 300, NOW), presented),
    }


def _cpu_of(work: Callable[[T], object], items: Sequence[T]) -> float:
    started = time.thread_time()
    for item in items:
        work(item)
    return (time.thread_time() - started) / len(items) * 1e6


def _table(found: Result, characters: int) -> str:
    lines = [
        f"{found.name}: {found.ratio:.3f} of the bare signature check",
        f"  whole      {found.ours:>10,.0f} codes per CPU-second  ({found.cpu_microseconds:.1f} µs each)",
        f"  bare       {found.yardstick:>10,.0f} signatures per CPU-second  ({1e6 / found.yardstick:.1f} µs each)",
        f"  rates      {found.rate_per_second:>10,.0f}/s against {found.yardstick_rate_per_second:,.0f}/s by the wall",
        f"  latency    {found.p50_ms:>10} ms p50, {found.p99_ms} ms p99",
        f"  codes      {found.n:>10,} of {characters} characters",
    ]
    lines += [f"  step       {cost:>10.1f} µs  {what}" for what, cost in found.floor.items()]
    lines += [f"  violations {found.violations:>10}  ({'; '.join(found.checked)})"]
    return "\n".join(lines)


def _claims(at: int) -> Claims:
    status = StatusRef(_uri(at % LISTS), secrets.randbelow(STATUSES))
    fields = {"name": f"测试{at:04}", "birth_date": "1987-05-04", "number": f"{at:018}"}
    shown = Shown(_KINDS[at % len(_KINDS)], "11310000000000001X", date(2024, 1, 2), date(2034, 1, 1), fields, status)
    return Claims(
        _CITY, NOW - 100, NOW + 200, secrets.token_bytes(claim_set.CTI_BYTES), _SCENARIO,
        (shown,), secrets.token_bytes(_BINDING_BYTES),
    )  # fmt: skip


def _uri(number: int) -> str:
    return f"{_CITY}/status-lists/{number}"


def _changed(text: str) -> str:
    at = len(text) // 2
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]


def _der_of(signature: bytes) -> bytes:
    r, s = signature[:COORDINATE_BYTES], signature[COORDINATE_BYTES:]
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
