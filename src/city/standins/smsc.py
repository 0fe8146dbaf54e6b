"""The SMSC that our SMPP client is measured and proved against: another author's, in another process.

It is `tests/peers/smsc/server.js` on the npm package `smpp`, installed once as its lock file says, beside the tests'
other environments. What it does with messages is told over HTTP; what it took and sent it writes to a log of its own.
"""

import fcntl
import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from city.errors import CannotStart
from city.locating import checkout

SOURCE = Path("tests", "peers", "smsc")
ENVIRONMENTS = ".venv-clients"
READY = "suishenban-ready"
INSTALLING_SECONDS_MAX = 300
ASKING_SECONDS_MAX = 10.0
ENDING_SECONDS_MAX = 5.0
_INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")

Said = dict[str, Any]
"""One line of its log, or what it answers."""


class Smsc:
    """A running SMSC: where it listens, and how it is told what to do."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, control: int, log: Path | None) -> None:
        self.process = process
        self.port = port
        self._control = control
        self._log = log

    def set(self, **knobs: Any) -> Said:
        """Change what it does with messages from now on; the knobs are named in server.js."""
        return self._ask("/set", knobs)

    def cut(self) -> Said:
        """End every connection at once, without a word."""
        return self._ask("/cut", {})

    def unbind(self) -> Said:
        """Ask every client to go."""
        return self._ask("/unbind", {})

    def enquire(self) -> Said:
        """Ask every client whether it is there."""
        return self._ask("/enquire", {})

    def text(self, **fields: Any) -> Said:
        """Send a deliver_sm of these fields to a client, now or when one comes."""
        return self._ask("/text", {"fields": fields})

    def octets(self, octets: bytes) -> Said:
        """Write these to every client as they are."""
        return self._ask("/octets", {"hex": octets.hex()})

    def counts(self) -> Said:
        """How much it took and sent so far, and how many connections are bound."""
        return self._ask("/counts", {})

    def die(self) -> None:
        """End the process at once."""
        try:
            self._ask("/die", {})
        except (OSError, http.client.HTTPException):
            self.process.wait(ENDING_SECONDS_MAX)

    def events(self, *kinds: str) -> list[Said]:
        """What it logged so far, oldest first; of these kinds, if any are named."""
        assert self._log is not None, "it keeps a log"
        self.counts()  # what it holds back until the tick ends is written before it answers
        with self._log.open(encoding="utf-8") as lines:
            every = [json.loads(line) for line in lines]
        return [said for said in every if not kinds or said["event"] in kinds]

    def _ask(self, command: str, said: Mapping[str, Any]) -> Said:
        link = http.client.HTTPConnection("127.0.0.1", self._control, timeout=ASKING_SECONDS_MAX)
        try:
            link.request("POST", command, json.dumps(said))
            answer = link.getresponse()
            found: Said = json.loads(answer.read())
        finally:
            link.close()
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(found["problem"])
        return found


@contextmanager
def running(log: Path | None = None, *, port: int = 0, **knobs: Any) -> Iterator[Smsc]:
    """An SMSC for the block, with a log if a file is named for it. Raises CannotStart where there is no Node.js."""
    modules = installed()
    environ = {**os.environ, "NODE_PATH": str(modules), "LOG": str(log or ""), "PORT": str(port)}
    process = subprocess.Popen(
        ["node", str(_folder() / "server.js")], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            raise CannotStart("The SMSC did not start.", "See what it wrote above.")
        where = json.loads(first)
        smsc = Smsc(process, where["port"], where["control"], log)
        if knobs:
            smsc.set(**knobs)
        yield smsc
    finally:
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    """It ends with its standard input; when it does not, by force."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(ENDING_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def installed() -> Path:
    """The folder of its modules, exactly as locked; made at the first call. Raises CannotStart."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        raise CannotStart(f"{' and '.join(missing)} not installed.", "On Debian and Ubuntu: apt install nodejs npm")
    source = _folder()
    lock = source / "package-lock.json"
    environments = source.parents[2] / ENVIRONMENTS
    environments.mkdir(exist_ok=True)
    at = environments / f"smsc-{sha256(lock.read_bytes()).hexdigest()[:16]}"
    with (environments / "smsc.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (at / READY).exists():
            for old in environments.glob("smsc-*"):
                shutil.rmtree(old)
            at.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, at / name)
            ran = subprocess.run(
                _INSTALL, cwd=at, capture_output=True, text=True, check=False, timeout=INSTALLING_SECONDS_MAX
            )
            if ran.returncode != 0:
                raise CannotStart("npm could not install the SMSC.", f"It said: {ran.stdout}{ran.stderr}")
            (at / READY).touch()
    return at / "node_modules"


def _folder() -> Path:
    root = checkout()
    if root is None:
        raise CannotStart("An installed copy has no SMSC to measure against.", "Run this in a checkout.")
    return root / SOURCE
