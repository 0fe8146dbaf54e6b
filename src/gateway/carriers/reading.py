"""The file of carriers, TOML or JSON by its name's ending; whatever is wrong in it is refused in words.

Each carrier names its kind. Its secrets stand in files of their own beside it, which only their owner may read: for
every secret there is a line of its name with `_file` behind. docs/CARRIERS.md explains every line.
"""

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from kernel.settings import Secret
from notifications import templates
from notifications.channels.clouds import aliyun, tencent
from notifications.channels.clouds.callbacks import SECRET_CHARACTERS_MIN
from notifications.channels.clouds.calling import CONNECTIONS_MAX
from notifications.channels.smpp.settings import SmppSettings

CARRIERS_MAX = 20
TEXTS_MAX = 2_000
FILE_BYTES_MAX = 1024 * 1024
SECRET_BYTES_MAX = 4096
WEIGHT = 100
_OTHERS_MAY = 0o077
_IN_A_FILE = "_file"

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,59}$(?!\n)")]
"""Filed with every attempt: a carrier keeps its name for as long as what it carried is remembered."""
Weight = Annotated[int, Meta(ge=0, le=1_000)]
"""Which share of its channel it carries, beside the others'; 0 only when no other can."""
Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x20\x7f]+$(?!\n)")]
Connections = Annotated[int, Meta(ge=1, le=CONNECTIONS_MAX)]
_ENDPOINT = re.compile(
    r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?/?"
)

_DOOR_SECRET = re.compile(rf"[A-Za-z0-9_-]{{{SECRET_CHARACTERS_MIN},128}}")
"""It stands in an address."""


class CarriersRefused(Exception):
    """The file does not make carriers; the text says where and why, and holds no secret."""


class _Carrier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    name: Name
    weight: Weight = WEIGHT


class AliyunCarrier(_Carrier, frozen=True, kw_only=True, tag="aliyun"):
    """Aliyun's short message service."""

    signature: Line
    """The approved signature (签名), without its brackets."""
    access_key_id: Line
    access_key_secret: Secret
    callback_secret: Secret
    endpoint: str = aliyun.ENDPOINT
    connections: Connections = aliyun.CONNECTIONS


class TencentCarrier(_Carrier, frozen=True, kw_only=True, tag="tencent"):
    """Tencent Cloud's SMS."""

    signature: Line
    """The approved signature (签名), without its brackets."""
    secret_id: Line
    secret_key: Secret
    callback_secret: Secret
    app_id: Annotated[str, Meta(pattern=r"^[0-9]{6,20}$(?!\n)")]
    region: Line = tencent.REGION
    endpoint: str = tencent.ENDPOINT
    connections: Connections = tencent.CONNECTIONS


class SmppCarrier(SmppSettings, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="smpp"):
    """A carrier's own SMSC."""

    weight: Weight = WEIGHT


class SmtpCarrier(_Carrier, frozen=True, kw_only=True, tag="smtp"):
    """A relay for e-mail."""

    host: Line
    port: Annotated[int, Meta(ge=1, le=65535)] = 465
    tls: Literal["tls", "starttls", "none"] = "tls"
    user: Annotated[str, Meta(max_length=200)] = ""
    password: Secret = Secret("")
    authorities: Path | None = None
    """Certificates (PEM) of who may vouch for the relay; unset: whoever this machine believes."""
    sender: Annotated[str, Meta(max_length=254, pattern=r"^[^@\x00-\x20\x7f]+@[A-Za-z0-9.-]+$(?!\n)")]
    """The address that mail comes from."""
    sender_name: Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]


class SubscribeCarrier(_Carrier, frozen=True, kw_only=True, tag="subscribe"):
    """The mini-program's subscribe messages."""

    app_id: Line
    secret: Secret
    templates: Path
    """The JSON list of which text goes under which of the platform's templates."""
    endpoint: str = "https://api.weixin.qq.com"


Carrier = AliyunCarrier | TencentCarrier | SmppCarrier | SmtpCarrier | SubscribeCarrier


class ApprovedText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text of the city's as a carrier has approved it, by its own names for the Chinese and the English words."""

    carrier: Name
    text: Line
    version: Annotated[int, Meta(ge=1)]
    zh: Line
    en: Line | None = None
    signature: Line | None = None
    """Where it is another than the carrier's."""
    parameters: dict[Line, str] = {}
    """Which of our values fills which of its gaps, in its order; none said: they are called the same."""


class CarriersFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    carriers: Annotated[list[Carrier], Meta(min_length=1, max_length=CARRIERS_MAX)]
    texts: Annotated[list[ApprovedText], Meta(max_length=TEXTS_MAX)] = []


def read(path: Path) -> CarriersFile:
    """The file, with the secrets that stand beside it. Raises CarriersRefused."""
    try:
        file = msgspec.convert(_with_secrets(path, _parsed(path)), CarriersFile, dec_hook=_decode)
    except msgspec.ValidationError as problem:
        raise CarriersRefused(f"{path}: {_in_words(str(problem))}") from None
    if sum(isinstance(carrier, SubscribeCarrier) for carrier in file.carriers) > 1:
        raise CarriersRefused(f"{path}: there is one mini-program, so one carrier of kind subscribe")
    names = [carrier.name for carrier in file.carriers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CarriersRefused(f"{path}: two carriers are called {twice[0]}")
    for carrier in file.carriers:
        _check_carrier(path, carrier)
    for text in file.texts:
        _check_text(path, text, names)
    return file


def _parsed(path: Path) -> Any:
    if not path.is_absolute():
        raise CarriersRefused(f"{path}: every process must find it, so its whole path is needed: /…")
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise CarriersRefused(f"{path} is longer than {FILE_BYTES_MAX} bytes")
        words = path.read_text(encoding="utf-8")
        return json.loads(words) if path.suffix == ".json" else tomllib.loads(words)
    except OSError as problem:
        raise CarriersRefused(f"{path} cannot be read: {problem.strerror}") from None
    except ValueError as problem:  # what both parsers and the decoding of UTF-8 raise
        raise CarriersRefused(f"{path} is no {'JSON' if path.suffix == '.json' else 'TOML'}: {problem}") from None


def _with_secrets(path: Path, tables: Any) -> Any:
    """What the file says, with every `…_file` of a carrier replaced by the secret that file holds."""
    if not isinstance(tables, dict) or not isinstance(tables.get("carriers"), list):
        return tables
    folder = path.resolve().parent
    carriers = [
        {
            name.removesuffix(_IN_A_FILE) if name.endswith(_IN_A_FILE) else name: (
                _secret(folder / value) if name.endswith(_IN_A_FILE) and isinstance(value, str) else value
            )
            for name, value in carrier.items()
        }
        if isinstance(carrier, dict)
        else carrier
        for carrier in tables["carriers"]
    ]
    return {**tables, "carriers": carriers}


def _secret(there: Path) -> Secret:
    """What a file holds, without the line's end. Raises CarriersRefused."""
    try:
        if there.stat().st_mode & _OTHERS_MAY:
            raise CarriersRefused(f"{there} can be read by others: chmod 600 it")
        if there.stat().st_size > SECRET_BYTES_MAX:
            raise CarriersRefused(f"{there} is too long for a secret")
        said = there.read_text(encoding="utf-8").strip()
    except OSError as problem:
        raise CarriersRefused(f"{there} cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise CarriersRefused(f"{there} is no text") from None
    if not said:
        raise CarriersRefused(f"{there} is empty")
    return Secret(said)


def _check_carrier(path: Path, carrier: Carrier) -> None:
    match carrier:
        case SubscribeCarrier():
            _check_endpoint(path, carrier.name, carrier.endpoint)
        case AliyunCarrier() | TencentCarrier():
            _check_endpoint(path, carrier.name, carrier.endpoint)
            if _DOOR_SECRET.fullmatch(carrier.callback_secret.reveal()) is None:
                wanted = f"{SECRET_CHARACTERS_MIN} to 128 of the characters A-Z, a-z, 0-9, - and _"
                raise CarriersRefused(f"{path}: the callback secret of {carrier.name} must be {wanted}")


def _check_endpoint(path: Path, name: str, endpoint: str) -> None:
    if _ENDPOINT.fullmatch(endpoint) is None:
        raise CarriersRefused(f"{path}: the endpoint of {name} is not https://HOST")


def _check_text(path: Path, text: ApprovedText, names: Sequence[str]) -> None:
    called = f"{path}: the text {text.text} {text.version}"
    if text.carrier not in names:
        raise CarriersRefused(f"{called} names the carrier {text.carrier}, and there is none of that name")
    template = templates.find(text.text, text.version)
    if template is None:
        raise CarriersRefused(f"{called} is none of the city's")
    unknown = sorted(set(text.parameters.values()) - template.placeholders.keys())
    if unknown:
        raise CarriersRefused(f"{called} has no value {unknown[0]}")


def _decode(kind: type, value: Any) -> Any:
    if kind is not Secret:
        assert issubclass(kind, Path)
        return Path(str(value))
    if not isinstance(value, Secret):
        raise ValueError("a secret stands in a file of its own: say which, as …_file")  # noqa: TRY004 -- msgspec's way
    return value


def _in_words(problem: str) -> str:
    """msgspec's own words, with lists counted from one."""
    counted = re.sub(r"\[(\d+)\]", lambda found: f" number {int(found[1]) + 1}", problem)
    return (
        counted.replace("`$.", "`")
        .replace("Object contains unknown field", "there is no such line:")
        .replace("Object missing required field", "missing:")
    )
