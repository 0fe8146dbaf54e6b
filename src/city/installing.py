"""pip, driven: it downloads first, so that a slow network and a slow disk are told apart, then installs offline."""

import shutil
import subprocess
import time
from pathlib import Path

from city.errors import CannotStart
from city.progress import Step

LOOKED_AGAIN_SECONDS = 0.1
RETRIES = "2"
TIMEOUT_SECONDS = "20"
_QUIET = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--no-color")
_AS_LOCKED = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
_NO_NETWORK = (
    "NewConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "Read timed out",
    "Name or service not known",
    "name resolution",
    "Network is unreachable",
    "Connection refused",
    "ProxyError",
    "Could not fetch URL",
)


class Pip:
    """One lock file's way into an environment."""

    def __init__(self, python: Path, lock: Path, downloads: Path, log: Path, count: int) -> None:
        self._python = python
        self._lock = lock
        self._downloads = downloads
        self._log = log
        self._count = count

    def download(self, step: Step) -> None:
        """Fetch every wheel the lock names for this machine, and check its hash. Raises CannotStart."""
        self._downloads.mkdir(exist_ok=True)
        network = ("--retries", RETRIES, "--timeout", TIMEOUT_SECONDS)
        self._run("download", *_AS_LOCKED, *network, "--dest", str(self._downloads), step=step)
        files = list(self._downloads.iterdir())
        step.outcome = f"{len(files)}, {sum(file.stat().st_size for file in files) / 1e6:.0f} MB"

    def install(self, step: Step) -> None:
        """Install what was downloaded, without the network. Raises CannotStart."""
        offline = ("--no-index", "--find-links", str(self._downloads), "--no-warn-script-location")
        self._run("install", *_AS_LOCKED, *offline, step=step)

    def _run(self, command: str, *options: str, step: Step) -> None:
        words = [str(self._python), "-I", "-u", "-m", "pip", command, *_QUIET, *options, "-r", str(self._lock)]
        with self._log.open("w", encoding="utf-8") as log:
            running = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                while running.poll() is None:
                    step.tick(self._how_far(command))
                    time.sleep(LOOKED_AGAIN_SECONDS)
            finally:
                if running.poll() is None:
                    running.kill()
                    running.wait()
        if running.returncode != 0:
            raise self._refusal(command)

    def _how_far(self, command: str) -> str:
        if command != "download":
            return ""
        fetched = self._log.read_text(encoding="utf-8", errors="replace").count("\nCollecting ")
        return f"{min(fetched + 1, self._count)} of {self._count}"

    def _refusal(self, command: str) -> CannotStart:
        said = self._log.read_text(encoding="utf-8", errors="replace")
        if "No space left" in said or shutil.disk_usage(self._log).free == 0:
            return CannotStart(f"The disk under {self._log.parents[1]} is full.", "Make room, and start again.")
        if "Permission denied" in said:
            environment = self._python.parents[1]
            return CannotStart(f"{environment} cannot be written.", f"See whose it is: ls -ld {environment}")
        if "DO NOT MATCH THE HASHES" in said:
            return CannotStart(
                "A downloaded package is not the one that was locked: its hash differs.",
                f"Start again; if it stays so, something on the way changes downloads. What pip said: {self._log}",
            )
        if any(sign in said for sign in _NO_NETWORK):
            return CannotStart(
                "The packages could not be downloaded: the package index cannot be reached.",
                f"Check the network, or pip's index and proxy settings, and start again. What pip said: {self._log}",
            )
        last = next((line for line in reversed(said.splitlines()) if line.startswith("ERROR")), "pip failed")
        return CannotStart(f"The packages could not be {command}ed: {last}", f"What pip said is in {self._log}")
