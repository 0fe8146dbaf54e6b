"""A venue's device that judges by itself: what it fetches while it has a network, and `suishenban_verify` alone."""

import asyncio
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
from city.journey.telling import Broken, believed
from suishenban_verify import offline_code
from suishenban_verify.bundle import Bundle, BundleRefused, keys_of_set
from suishenban_verify.claim_set import StatusRef
from suishenban_verify.jws import strict_json
from suishenban_verify.offline_code import NotACode
from suishenban_verify.remembering import Memory, Scan
from suishenban_verify.status_list import Published
from suishenban_verify.trust_list import OFFLINE, TrustList
from suishenban_verify.verifying import Outcome, Verdict, Verifier

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
        self._verifier: Verifier | None = None

    def now(self) -> int:
        """Unix seconds on a clock that was set by the city's: the journey may be played from another machine."""
        return int(time.time()) + self._ahead_seconds

    async def wait_until(self, moment: int) -> None:
        """Until its clock says so."""
        await asyncio.sleep(max(0.0, moment - time.time() - self._ahead_seconds))

    async def prepare(self) -> TrustList:
        """Fetch all that it takes to judge without a network; the trust list. Raises Broken.

        The root keys a real venue gets from the city's people, by hand.
        """
        roots = await self.caller.get("/.well-known/trust-roots")
        if "date" in roots.headers:
            apart = int(parsedate_to_datetime(roots.headers["date"]).timestamp()) - int(time.time())
            self._ahead_seconds = apart if abs(apart) > CLOCKS_APART_SECONDS else 0
        signed = await self.caller.get("/.well-known/trust-list")
        granted = await self.caller.get("/venue/bundle")
        with believed("the trust list is signed by a root key, and its form is right", BundleRefused, ValueError):
            self._bundle.pin(keys_of_set(strict_json(roots.body)))
            trust = self._bundle.keep_trust(signed.body.decode(), self.now())
            self._bundle.keep_scenarios(granted.content["scenarios"])
        await self.fetch_lists()
        return trust

    async def fetch_lists(self) -> set[str]:
        """Every status list of the city; their addresses."""
        uris = (await self.caller.get("/status-lists")).content["status_lists"]
        for uri in uris:
            await self.fetch_list(uri)
        return set(uris)

    async def fetch_list(self, uri: str) -> Published | None:
        """A status list, kept; None when the city has none that is newer than the device's. Raises Broken."""
        trust = self.trust()
        known = {"If-None-Match": self._tags[uri]} if self._tags.get(uri) else {}
        path = uri.removeprefix(trust.issuer)
        answer = await self.caller.ask("GET", path, headers=AS_JWT | known, status=None)
        if answer.status == 304:
            return None
        if answer.status != 200:
            raise Broken("every status list that is named is there", "200", answer.words())
        self._verifier = None
        self._tags[uri] = answer.headers.get("etag", "")
        with believed("a status list is signed by the city's key for status lists", BundleRefused, ValueError):
            return self._bundle.keep_list(answer.body.decode(), uri=uri, trust=trust, now=self.now())

    def trust(self) -> TrustList:
        """Whom the device believes."""
        trust = self._bundle.trust(self.now())
        assert trust is not None, "a device is prepared first"
        return trust

    def place_of(self, text: str) -> StatusRef:
        """Where the one certificate that a code shows stands in the status lists. Raises Broken."""
        keys = self.trust().keys(self.trust().issuer, OFFLINE, None, self.now())
        with believed("an offline code has its one form", NotACode):
            opened = offline_code.opened(offline_code.read(text), keys)
        place = None if opened is None else opened.claims.certificates[0].status
        if place is None:
            raise Broken("an offline code says where its certificate's status is told", "a list and an index", text)
        return place

    def judge(self, text: str) -> Verdict:
        """What the device says to a code, without asking anybody; what was a code of ours is kept for the city."""
        now = self.now()
        self._verifier = self._verifier or self._bundle.verifier(self._memory, now)
        verdict = self._verifier.verify(text, now)
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
