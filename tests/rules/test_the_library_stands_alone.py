"""What a venue installs needs Python, cryptography and cbor2, and nothing of the city's."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.shape.tree import ROOT, sources

ALLOWED = {"suishenban_verify", "cryptography", "cbor2", "_cbor2", "_cffi_backend", "cffi"}
"""The last three are what the second and third bring along."""
PACKAGING = ROOT / "packaging" / "suishenban-verify"

GUARDED = """
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
ALLOWED = set(sys.argv[3].split(",")) | set(sys.stdlib_module_names)

class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED:
            raise ImportError(f"{name} is not for a venue")

sys.meta_path.insert(0, Guard())
import importlib
for module in sys.argv[4].split(","):
    importlib.import_module(module)
from suishenban_verify import command, status_list, trust_list
from suishenban_verify.replay import ReplayMemory
from suishenban_verify.signatures import public_key
from suishenban_verify.verifying import Verifier

frozen = json.loads(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8"))
now = frozen["now"]
trust = trust_list.read(frozen["trust_list"], [public_key(frozen["root"])], now=now)
keys = trust.keys(trust.issuer, "status", None, now)
lists = {uri: status_list.read_jwt(token, keys, uri=uri, now=now) for uri, token in frozen["status_lists"].items()}
verifier = Verifier(trust, lists, ReplayMemory(), scenarios=frozen["scenarios"])
print([verifier.verify(code["text"], now).outcome.value for code in frozen["codes"][:4]])
sys.exit(command.main(["--image", "x"], prog="p", clock=lambda: now, fresh_id=str))
"""


def modules() -> list[str]:
    found = [source.module for source in sources("src") if source.package == "suishenban_verify"]
    return [module for module in found if not module.endswith("__main__")]


def guarded(allowed: set[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-I", "-c", GUARDED, str(ROOT / "src"),
            str(ROOT / "tests" / "vectors" / "offline-codes.json"), ",".join(allowed), ",".join(modules()),
        ],
        capture_output=True, text=True, check=False, timeout=60, cwd=folder,
    )  # fmt: skip


def test_it_verifies_where_nothing_else_can_be_imported(tmp_path: Path) -> None:
    ran = guarded(ALLOWED, tmp_path)
    assert ran.stdout == "['valid', 'valid', 'valid', 'revoked']\n", ran.stderr
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)


def test_it_is_noticed_when_it_needs_more(tmp_path: Path) -> None:
    for needed in ("cbor2", "cryptography"):
        ran = guarded(ALLOWED - {needed}, tmp_path)
        assert ran.returncode == 1
        assert f"{needed} is not for a venue" in ran.stderr


def test_the_package_asks_for_what_the_code_needs_in_the_versions_it_is_tested_with() -> None:
    package = tomllib.loads((PACKAGING / "pyproject.toml").read_text(encoding="utf-8"))
    city = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert {line.split(">")[0] for line in package["project"]["dependencies"]} == {"cbor2", "cryptography"}
    for line in package["project"]["dependencies"] + package["project"]["optional-dependencies"]["image"]:
        assert line in city["project"]["dependencies"]
    assert package["project"]["requires-python"] == city["project"]["requires-python"]
    folder = PACKAGING / package["tool"]["setuptools"]["package-dir"]["suishenban_verify"]
    assert folder.resolve() == ROOT / "src" / "suishenban_verify"
