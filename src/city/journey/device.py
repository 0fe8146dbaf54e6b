"""A venue's device that judges by itself: what it fetches while it has a network, and `suishenban_verify` alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import uuid4

from city.journey.calling import Caller
from city.journey.telling import Broken
from suishenban_verify.bundle import Bundle, keys_of_set
from suishenban_verify.jws import strict_json
from suishenban_verify.remembering import Memory, Scan
from suishenban_verify.status_list import Published
from suishenban_verify.trust_list import TrustList
from suishenban_verify.verifying import Outcome, Verdict

AS_JWT: Final = {"Accept": "application/statuslist+jwt"}
SCANS_TOGETHER: Final = 1_000
CLOCKS_APART_SECONDS: Final = 1
"""What the Date of an answer, which has whole seconds, cannot tell from the same time."""


class Device:
    """One device of a venue: its way to the city, and the folder with all that it believes and remembers."""

    def __init__(self, caller: Caller, owner: str, bundle: Bundle, memory: Memory) -> None:
        self.caller = caller
        self.owner = owner
        self._bundle = bundle
        self._memory = memory
        self._ahead_seconds = 0
        self._tags: dict[str, str] = {}

    def now(self) -> int:
        """Unix seconds on a clock that was set by the city's: the journey may be played from another machine."""
        return int(time.time()) + self._ahead_seconds

    async def prepare(self) -> TrustList:
        """Fetch all that it takes to judge without a network; the trust list.

        Raises BundleRefused for what is not to be believed. Root keys a real venue gets from the city's people.
        """
        roots = await self.caller.get("/.well-known/trust-roots")
        if "date" in roots.headers:
            apart = int(parsedate_to_datetime(roots.headers["date"]).timestamp()) - int(time.time())
            self._ahead_seconds = apart if abs(apart) > CLOCKS_APART_SECONDS else 0
        self._bundle.pin(keys_of_set(strict_json(roots.body)))
        trust = self._bundle.keep_trust((await self.caller.get("/.well-known/trust-list")).body.decode(), self.now())
        self._bundle.keep_scenarios((await self.caller.get("/venue/bundle")).content["scenarios"])
        for uri in (await self.caller.get("/status-lists")).content["status_lists"]:
            await self.fetch_list(uri)
        return trust

    async def fetch_list(self, uri: str) -> Published | None:
        """A status list, kept; None when the city has none that is newer than the device's. Raises BundleRefused."""
        trust = self.trust()
        known = {"If-None-Match": self._tags[uri]} if self._tags.get(uri) else {}
        path = uri.removeprefix(trust.issuer)
        answer = await self.caller.ask("GET", path, headers=AS_JWT | known, status=None)
        if answer.status == 304:
            return None
        if answer.status != 200:
            raise Broken("every status list that is named is there", "200", answer.words())
        self._tags[uri] = answer.headers.get("etag", "")
        return self._bundle.keep_list(answer.body.decode(), uri=uri, trust=trust, now=self.now())

    def trust(self) -> TrustList:
        """Whom the device believes."""
        trust = self._bundle.trust(self.now())
        assert trust is not None, "a device is prepared first"
        return trust

    def judge(self, text: str) -> Verdict:
        """What the device says to a code, without asking anybody; what was a code of ours is kept for the city."""
        now = self.now()
        verdict = self._bundle.verifier(self._memory, now).verify(text, now)
        if verdict.outcome is not Outcome.NOT_OURS:
            self._memory.owe(Scan(text, str(uuid4()), now, verdict.outcome.value))
        return verdict

    async def upload(self) -> list[dict[str, Any]]:
        """Send in what was scanned, and keep it all the same: what the city answers."""
        scans = [
            {
                "code": scan.code,
                "use_id": scan.use_id,
                "scanned_at": datetime.fromtimestamp(scan.scanned_at, UTC).isoformat(),
                "verdict": scan.verdict,
            }
            for scan in self._memory.owed(SCANS_TOGETHER)
        ]
        answer = await self.caller.post("/venue/offline-scans", {"scans": scans})
        return list(answer.content["scans"])

    def settle(self) -> None:
        """The city has it all: nothing is owed any more."""
        self._memory.settle(self._memory.owed(SCANS_TOGETHER))


@contextmanager
def a_device(caller: Caller, owner: str) -> Iterator[Device]:
    """A device with nothing on it yet, for the block; whatever it kept is thrown away afterwards."""
    with TemporaryDirectory(prefix="suishenban-journey-") as folder:
        bundle = Bundle(Path(folder))
        memory = bundle.memory()
        try:
            yield Device(caller, owner, bundle, memory)
        finally:
            memory.close()
