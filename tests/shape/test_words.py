"""What no file of the project holds: addresses of one machine or one registry, open ends, talk about its own making."""

import re

import pytest

from tests.shape.tree import text_of, tracked

MACHINE_PATH = re.compile(r"(?:^|[^a-z.])/(?:work|farm|root|bash_jobs)/[a-z]", re.MULTILINE)
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|registry\.yarnpkg|npmmirror|mirrors?\.(?:aliyun|tuna|ustc)|proxy\.golang|PIP_INDEX|PIP_FIND",
    re.IGNORECASE,
)
DOWNLOAD_ADDRESS = re.compile(r"https?://|file://|git\+|index-url|find-links|@ \S+\.whl")
LOCKS = re.compile(r"(\.lock|requirements[^/]*\.txt|package-lock\.json|\.npmrc|pip\.conf)$")
PAGES_OF_PACKAGES = re.compile(r'"(?:url|homepage|funding)": ?"https://[^"]*"')
OPEN_END = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
WRITTEN_BY_US = ("src/", "tests/", "web/", "miniprogram/")
BUILT = "src/gateway/static/"
OF_THE_MAKING = re.compile(
    r"\bas (?:requested|instructed) (?:by|in)\b|\b(?:per|in) the brief\b|\bthe blueprint\b|\bother engineers?\b|\bthe lead (?:writes|wrote|will)\b"
    r"|\bco-authored-by\b|\bI (?:have )?(?:implemented|added|changed|fixed)\b|\bI was asked\b|\bthe user asked\b|\bacceptance criteria\b",
    re.IGNORECASE,
)
THIS_FILE = "tests/shape/test_words.py"


def out_of_place(path: str, text: str) -> list[str]:
    """What a file of this name may not hold, and where it does."""
    patterns = [
        ("a path of one machine", MACHINE_PATH),
        ("a registry", REGISTRY),
        ("talk of its making", OF_THE_MAKING),
    ]
    if LOCKS.search(path):
        patterns.append(("a download address", DOWNLOAD_ADDRESS))
        text = PAGES_OF_PACKAGES.sub("", text)
    if path.startswith(WRITTEN_BY_US) and not path.startswith(BUILT):
        patterns.append(("an open end", OPEN_END))
    found = []
    for what, pattern in patterns:
        for match in pattern.finditer(text):
            found.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {what}: {match[0].strip()}")
    return found


def test_nothing_out_of_place_is_in_any_file() -> None:
    checked = [path for path in tracked() if path != THIS_FILE]
    assert [line for path in checked for line in out_of_place(path, text_of(path) or "")] == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/A.md", "see " + "/".join(("", "root", "suishenban"))),
        ("src/city/a.py", "# TO" + "DO later"),
        ("web/a.ts", "// FIX" + "ME"),
        ("README.md", "pip install -i https://" + "py" + "pi.org/simple"),
        ("requirements.lock", "--index-" + "url https://example.org/simple"),
        ("web/package-lock.json", '"resolved": "https://example.org/a.tgz"'),
        ("src/wallet/a.py", "# as " + "requested by the city"),
        ("src/wallet/a.py", "# the " + "blueprint says"),
    ],
)
def test_what_is_out_of_place_is_noticed(path: str, text: str) -> None:
    assert out_of_place(path, text) != []


def test_ordinary_texts_are_left_alone() -> None:
    assert out_of_place("README.md", "https://example.org/work/shop and ./run as root") == []
    assert out_of_place("web/package-lock.json", '"funding": {"url": "https://example.org/a"}') == []
    assert out_of_place(f"{BUILT}a.js", "/* TO" + "DO */") == []
