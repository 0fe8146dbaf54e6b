"""What a device keeps in a directory to verify without a network, and how it never goes back to something older.

    trust.json         the root keys pinned, and the newest trust list one of them signed
    status-lists/      the newest token of each status list
    scenarios.json     what the device is granted: scenario code → kind code → names of fields
    memory.sqlite      the codes it accepted, and the scans it has not uploaded yet

Whoever can write the directory decides what the device believes: give it to the device's own user. Files are replaced
whole, so that a power cut leaves the old or the new one. What a token says is believed only after its signature was
checked, on keeping and again on reading.
"""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from suishenban_verify import jws, status_list, trust_list
from suishenban_verify.jws import NotSigned
from suishenban_verify.remembering import Memory
from suishenban_verify.replay import Replay
from suishenban_verify.signatures import NotAKey, PublicKey, public_key
from suishenban_verify.status_list import NotAStatusList, Published
from suishenban_verify.trust_list import ROOTS_MAX, NotATrustList, TrustList
from suishenban_verify.verifying import Verifier

FILE_BYTES_MAX = 4 * 2**20
LISTS_MAX = 4096
SCENARIOS_MAX = 1000
Scenarios = Mapping[str, Mapping[str, Sequence[str]]]

_TRUST, _SCENARIOS, _LISTS, _MEMORY = "trust.json", "scenarios.json", "status-lists", "memory.sqlite"


class BundleRefused(Exception):
    """What was to be kept, or what is kept, cannot be used; the message says why and is fit for people."""


class NothingPinned(BundleRefused):
    """The directory trusts nobody yet."""


class Older(BundleRefused):
    """Somebody served something older than what the device has; the newer stays."""


class Bundle:
    """The directory of one device."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pin(self, roots: Sequence[PublicKey]) -> None:
        """Make the directory if need be, and trust these root keys and no others. Other keys than before start anew.

        Ask the city's people, not its network, whether the keys are theirs. Raises BundleRefused.
        """
        if not 0 < len(roots) <= ROOTS_MAX:
            raise BundleRefused(f"a device trusts from 1 to {ROOTS_MAX} root keys")
        jwks = [_jwk(root) for root in roots]
        try:
            (self.path / _LISTS).mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise BundleRefused(f"{self.path} cannot be made: {problem.strerror}") from None
        if not (self.path / _TRUST).exists() or self._state()["roots"] != jwks:
            self._write(_TRUST, {"roots": jwks, "sequence": -1, "token": None})

    def roots(self) -> tuple[PublicKey, ...]:
        """The root keys that may sign the next trust list. Raises BundleRefused."""
        return _keys(self._state()["roots"])

    def trust(self, now: int) -> TrustList | None:
        """The trust list kept; None if there is none, or its time is over. Raises BundleRefused."""
        state = self._state()
        if state["token"] is None:
            return None
        try:
            return trust_list.read(state["token"], _keys(state["signed_by"]), now=now)
        except NotATrustList as problem:
            if _has_expired(state, now):
                return None
            raise BundleRefused(f"the kept trust list is damaged: {problem}") from None
        except NotSigned as problem:
            raise BundleRefused(f"the kept trust list is damaged: {problem}") from None

    def keep_trust(self, token: str, now: int) -> TrustList:
        """Keep a newer trust list, and from now on trust the roots that it names. Raises BundleRefused, Older."""
        state, roots = self._state(), self.roots()
        try:
            found = trust_list.read(token, roots, now=now)
        except (NotSigned, NotATrustList) as problem:
            raise BundleRefused(f"this trust list is not believed: {problem}") from None
        if found.sequence < state["sequence"]:
            raise Older(f"this trust list is number {found.sequence}; number {state['sequence']} is known already")
        if found.sequence == state["sequence"] and state["token"] not in (None, token):
            raise Older(f"another trust list with number {found.sequence} is known already")
        self._write(
            _TRUST,
            {
                "roots": [_jwk(root) for root in found.roots or roots],
                "sequence": found.sequence,
                "token": token,
                "expires_at": found.expires_at,
                "signed_by": [_jwk(root) for root in roots],
            },
        )
        return found

    def keep_list(self, token: str, *, uri: str, trust: TrustList, now: int) -> Published:
        """Keep a newer status list. Raises BundleRefused, Older."""
        try:
            found = _published(token, uri=uri, trust=trust, now=now)
        except (NotSigned, NotAStatusList) as problem:
            raise BundleRefused(f"the status list {uri} is not believed: {problem}") from None
        at = self._list_path(uri)
        if at.exists():
            kept = _claims(self._read(at)["token"])
            if kept.get("sub") == uri and jws.is_time(kept.get("iat")) and kept["iat"] > found.issued_at:
                raise Older(f"the status list {uri} was served older than it is known already")
        self._write(f"{_LISTS}/{at.name}", {"uri": uri, "token": token})
        return found

    def lists(self, trust: TrustList, now: int) -> dict[str, Published]:
        """The status lists that serve: neither past their end, nor signed by a key that is not believed any more."""
        found = {}
        for file in sorted((self.path / _LISTS).glob("*.json"))[:LISTS_MAX]:
            kept = self._read(file)
            try:
                found[kept["uri"]] = _published(kept["token"], uri=kept["uri"], trust=trust, now=now)
            except (NotSigned, NotAStatusList):
                continue
        return found

    def scenarios(self) -> Scenarios:
        """What the device is granted; nothing before it was told. Raises BundleRefused."""
        at = self.path / _SCENARIOS
        return _scenarios(self._read(at)) if at.exists() else {}

    def keep_scenarios(self, scenarios: Any) -> None:
        """Replace what the device is granted. Raises BundleRefused."""
        self._write(_SCENARIOS, _scenarios(scenarios))

    def memory(self) -> Memory:
        """The codes accepted, and the scans that wait. Raises CannotRemember."""
        return Memory(self.path / _MEMORY)

    def verifier(self, replay: Replay, now: int) -> Verifier:
        """A verifier of what is kept at `now`; make another after an update. Raises BundleRefused."""
        trust = self.trust(now)
        lists = {} if trust is None else self.lists(trust, now)
        return Verifier(trust, lists, replay, scenarios=self.scenarios())

    def _list_path(self, uri: str) -> Path:
        return self.path / _LISTS / f"{sha256(uri.encode()).hexdigest()[:32]}.json"

    def _state(self) -> dict[str, Any]:
        at = self.path / _TRUST
        if not at.exists():
            raise NothingPinned(f"{self.path} pins no root keys: nothing can be believed before it does")
        match self._read(at):
            case {"roots": list(), "sequence": int(), "token": None} as state:
                return state
            case {"roots": list(), "sequence": int(), "token": str(), "signed_by": list()} as state:
                return state
        raise BundleRefused(f"{at} is damaged")

    def _read(self, at: Path) -> dict[str, Any]:
        try:
            if at.stat().st_size > FILE_BYTES_MAX:
                raise ValueError("it is too large")
            found = jws.strict_json(at.read_bytes())
        except (OSError, ValueError) as problem:
            raise BundleRefused(f"{at} cannot be read: {problem}") from None
        if not isinstance(found, dict):
            raise BundleRefused(f"{at} is damaged")
        return found

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        try:
            replace_file(self.path / name, json.dumps(content, ensure_ascii=False, indent=1).encode())
        except OSError as problem:
            raise BundleRefused(f"{self.path / name} cannot be written: {problem.strerror}") from None


def replace_file(at: Path, content: bytes) -> None:
    """Put `content` in the place of the file, whole or not at all, on disk before this returns."""
    handle, unfinished = tempfile.mkstemp(dir=at.parent, prefix=f".{at.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(at)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(at.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def keys_of_set(document: Any) -> tuple[PublicKey, ...]:
    """The keys of a JWK Set (RFC 7517 §5). Raises BundleRefused."""
    match document:
        case {"keys": [*jwks]} if 0 < len(jwks) <= ROOTS_MAX:
            return _keys(jwks)
    raise BundleRefused("a JWK Set with at least one key was expected")


def _keys(jwks: Any) -> tuple[PublicKey, ...]:
    try:
        return tuple(public_key(jwk) for jwk in jwks)
    except (NotAKey, AttributeError, TypeError) as problem:
        raise BundleRefused(f"a root key is none: {problem}") from None


def _jwk(key: PublicKey) -> dict[str, Any]:
    return {**key.jwk, "kid": key.key_id}


def _has_expired(state: Mapping[str, Any], now: int) -> bool:
    return jws.is_time(state.get("expires_at")) and state["expires_at"] <= now


def _claims(token: str) -> Mapping[str, Any]:
    """What a kept token says, for comparing ages; it was verified when it was kept."""
    try:
        return jws.read(token).payload
    except NotSigned:
        return {}


def _published(token: str, *, uri: str, trust: TrustList, now: int) -> Published:
    """The list, signed by the issuer under whose address it is. Raises NotSigned, NotAStatusList."""
    unverified = jws.read(token)
    issued_at, key_id = unverified.payload.get("iat"), unverified.header.get("kid")
    if not jws.is_time(issued_at) or not isinstance(key_id, str):
        raise NotAStatusList("it does not say when it was made, or with which key")
    keys = [
        key
        for issuer in trust.issuers
        if uri.startswith(f"{issuer}/")
        for key in trust.keys(issuer, trust_list.STATUS, key_id, issued_at)
    ]
    return status_list.read_jwt(token, keys, uri=uri, now=now)


def _scenarios(document: Any) -> dict[str, dict[str, list[str]]]:
    if not isinstance(document, dict) or len(document) > SCENARIOS_MAX:
        raise BundleRefused("scenarios are a map from scenario to kind to fields")
    for grants in document.values():
        if not isinstance(grants, dict) or not all(
            isinstance(fields, list) and all(isinstance(field, str) for field in fields) for fields in grants.values()
        ):
            raise BundleRefused("scenarios are a map from scenario to kind to fields")
    return document
