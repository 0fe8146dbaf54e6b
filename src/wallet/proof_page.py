"""The pages behind the QR of a printed proof, for whoever holds the paper: a form, and what it is answered with.

They tell no more than the paper's holder needs: whether what they typed matches, how the proof stands now, and fields
with their middle hidden, to compare with the paper. No script, no other file, nothing about the visitor; whatever came
from elsewhere is escaped here. The form goes back to the page's own address, so that the address stands in no page.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from html import escape
from typing import Final

from msgspec import Struct

from kernel.clock import in_shanghai
from wallet.model import Words

NAME_MAX: Final = 100
LAST_CHARACTERS: Final = 4
"""Of the ID number; its check character may be an X, and foreign documents have letters."""
NAME_INPUT: Final = "name"
LAST_INPUT: Final = "last_four"


class Finding(StrEnum):
    """What the check found. Only `valid` is a yes; up to `superseded` what was typed matches."""

    VALID = "valid"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"
    NO_MATCH = "no_match"
    UNKNOWN = "unknown"
    TOO_MANY_TRIES = "too_many_tries"

    @property
    def is_match(self) -> bool:
        """Whether the page may show masked fields."""
        return self not in (Finding.NO_MATCH, Finding.UNKNOWN, Finding.TOO_MANY_TRIES)


class MaskedField(Struct, frozen=True):
    """One line of the proof, its value masked by the caller."""

    label: Words
    value: str


class RegisteredProof(Struct, frozen=True, kw_only=True):
    """What the register says of a proof that matches."""

    title: Words
    organ: Words
    issued_at: datetime
    valid_until: date | None
    fields: tuple[MaskedField, ...]


class _Said(Struct, frozen=True):
    tone: str
    sign: str
    heading: Words
    advice: Words


_SAID: Final[Mapping[Finding, _Said]] = {
    Finding.VALID: _Said(
        "good",
        "✓",
        Words("一致，现时有效", "It matches and is valid now"),
        Words(
            "请再与纸面逐项比对：若有不同，以本页为准。",
            "Compare the lines below with the paper. Where they differ, this page counts.",
        ),
    ),
    Finding.NOT_YET_VALID: _Said(
        "bad",
        "!",
        Words("一致，但尚未生效", "It matches but is not valid yet"),
        Words("有效期尚未开始，目前不能使用。", "Its validity has not begun. Do not accept it today."),
    ),
    Finding.EXPIRED: _Said(
        "bad",
        "!",
        Words("一致，但已过有效期", "It matches but has expired"),
        Words("有效期已过。请持有人重新开具。", "Its validity has ended. Ask the holder for a new one."),
    ),
    Finding.SUSPENDED: _Said(
        "bad",
        "!",
        Words("一致，但已暂停使用", "It matches but is suspended"),
        Words(
            "签发机关已暂停其效力，目前不能使用。", "The issuing authority has suspended it. Do not accept it today."
        ),
    ),
    Finding.REVOKED: _Said(
        "bad",
        "✕",
        Words("一致，但已被撤销", "It matches but has been revoked"),
        Words("此证明不再有效，请勿采信。", "It is no longer valid. Do not rely on the paper."),
    ),
    Finding.SUPERSEDED: _Said(
        "bad",
        "!",
        Words("一致，但已被新版取代", "It matches but a newer one has replaced it"),
        Words("内容已有变更。请持有人出示新的证明。", "The facts have changed. Ask the holder for the newer one."),
    ),
    Finding.NO_MATCH: _Said(
        "bad",
        "✕",
        Words("不一致", "It does not match"),
        Words(
            "所填姓名或号码与此证明不符。请按纸面重填一次；仍不符的，请勿采信。",
            "The name or number is not this proof's. Type them again as printed; if that fails, reject the paper.",
        ),
    ),
    Finding.UNKNOWN: _Said(
        "bad",
        "✕",
        Words("查无此证明", "There is no such proof"),
        Words(
            "本市没有开具过带有此二维码的证明，请勿采信；网址为手工输入的，请核对后重试。",
            "This city has issued no proof with this code: reject the paper. If you typed the address, check it.",
        ),
    ),
    Finding.TOO_MANY_TRIES: _Said(
        "wait",
        "…",
        Words("尝试次数过多", "Too many tries"),
        Words("为保护持有人，此证明暂停核验。", "To protect its holder, this proof cannot be checked for a while."),
    ),
}
assert _SAID.keys() == set(Finding)

_STYLE: Final = """
:root{--ink:#1d2430;--quiet:#566070;--paper:#f5f6f8;--card:#fff;--line:#dde1e7;--accent:#1c3e70;--good:#0d6847;--bad:#a3261d;
--wait:#7a5200;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaee;--quiet:#a9b1bd;--paper:#14171c;--card:#1d2128;--line:#343b46;
--accent:#9dbdf0;--good:#5bc998;--bad:#f39a90;--wait:#e6b95c}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:17px/1.55 system-ui,"PingFang SC","Noto Sans CJK SC","Microsoft YaHei",sans-serif;overflow-wrap:anywhere}
main{max-width:34rem;margin:0 auto;padding:1.25rem 1rem 3rem}
.service{margin:0 0 1rem;color:var(--quiet);font-size:.9rem}
h1{font-size:1.5rem;line-height:1.3;margin:0}
h2{font-size:1.05rem;margin:1.5rem 0 .5rem}
[lang=en]{color:var(--quiet);font-size:.88em;display:block}
section,form,dl{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1rem;margin:1rem 0}
.said{border-left:.4rem solid var(--tone)}
.said h1{display:grid;grid-template-columns:auto 1fr;gap:0 .6rem;align-items:start}
.said .sign{width:2rem;height:2rem;border-radius:50%;background:var(--tone);color:var(--card);display:grid;
place-items:center;font-size:1.2rem}
.said .sign+span{color:var(--tone)}
.said p{margin:.7rem 0 0}
.good{--tone:var(--good)}.bad{--tone:var(--bad)}.wait{--tone:var(--wait)}
label{display:block;font-weight:600;margin-top:1rem}label:first-of-type{margin-top:0}
label [lang=en]{font-weight:400}
input{display:block;width:100%;margin-top:.35rem;padding:.7rem .8rem;font:inherit;color:inherit;background:var(--paper);
border:1px solid var(--quiet);border-radius:.5rem}
.last{max-width:9rem;letter-spacing:.2em;text-transform:uppercase}
button,.again{display:block;width:100%;margin-top:1.25rem;padding:.8rem;font:inherit;font-weight:600;text-align:center;
border:1px solid var(--accent);border-radius:.5rem;background:var(--accent);color:var(--card);text-decoration:none}
.again{background:none;color:var(--accent)}
button [lang=en],.again [lang=en]{color:inherit;font-weight:400}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
dl{padding:.2rem 1rem}
dl div{padding:.6rem 0;border-bottom:1px solid var(--line)}dl div:last-child{border-bottom:0}
dt{color:var(--quiet);font-size:.9rem}dt [lang=en]{display:inline;margin-left:.4em}dd{margin:.1rem 0 0}
.problem{color:var(--bad);font-weight:600;margin:0 0 1rem}.problem [lang=en]{color:inherit}
.note{color:var(--quiet);font-size:.88rem;margin:1rem 0 0}
"""

CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""To be sent with both pages: the one style in them, no script, and a form that goes home."""

_PAGE: Final = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<p class="service">随申办 · 电子证明核验 <span lang="en">Suishenban: check a printed proof</span></p>
{body}
</main>
</body>
</html>
"""


def ask_page(*, is_incomplete: bool = False) -> str:
    """The form: the holder's name and the last four of their ID number, as on the paper.

    It is the same for every address, ours or not. `is_incomplete`: what came could not be a name and four characters.
    """
    problem = (
        '<p class="problem" role="alert" id="problem">请填写姓名和号码后四位。'
        '<span lang="en">Enter a name and the last four characters.</span></p>\n'
        if is_incomplete
        else ""
    )
    wrong = ' aria-invalid="true" aria-describedby="problem"' if is_incomplete else ""
    return _page(
        "电子证明核验",
        f"""<h1>核验这份证明<span lang="en">Check this proof</span></h1>
<form method="post" autocomplete="off">
{problem}<label for="{NAME_INPUT}">持有人姓名<span lang="en">Holder's name, as printed</span></label>
<input id="{NAME_INPUT}" name="{NAME_INPUT}" type="text" maxlength="{NAME_MAX}" autocomplete="off" required{wrong}>
<label for="{LAST_INPUT}">身份证件号码后四位<span lang="en">Last four of the holder's ID number</span></label>
<input class="last" id="{LAST_INPUT}" name="{LAST_INPUT}" type="text" maxlength="{LAST_CHARACTERS}" \
pattern="[0-9A-Za-z]{{{LAST_CHARACTERS}}}" autocapitalize="characters" autocomplete="off" spellcheck="false" \
required{wrong}>
<button type="submit">核验<span lang="en">Check</span></button>
</form>
<p class="note">本页只答复所填内容与登记是否一致、证明现时是否有效，并列出隐去部分内容的信息供比对。\
<span lang="en">You learn whether what you enter matches the register, whether the proof is valid now, and partly \
hidden values to compare with the paper.</span></p>
<p class="note">核验会记入持有人的用证记录。<span lang="en">The holder sees that their proof was checked, and when.\
</span></p>""",
    )


def answer_page(
    finding: Finding, *, checked_at: datetime, proof: RegisteredProof | None = None, retry_minutes: int | None = None
) -> str:
    """What was found, and of a proof that matches its masked fields. `retry_minutes`: with too many tries, the wait."""
    assert (proof is not None) == finding.is_match, "only what matches is shown, and it is"
    said = _SAID[finding]
    wait = ""
    if retry_minutes is not None:
        words = Words(f"请在 {retry_minutes} 分钟后重试。", f"Try again in {retry_minutes} minutes.")
        wait = f"<p>{_both(words)}</p>\n"
    again = ""
    if finding is Finding.NO_MATCH:
        again = f'<a class="again" href="">{_both(Words("重新填写", "Enter again"))}</a>\n'
    moment = f"{in_shanghai(checked_at):%Y-%m-%d %H:%M:%S}"
    return _page(
        said.heading.zh,
        f"""<section class="said {said.tone}" role="status">
<h1><span class="sign" aria-hidden="true">{said.sign}</span><span>{_both(said.heading)}</span></h1>
<p>{_both(said.advice)}</p>
{wait}</section>
{"" if proof is None else _registered(proof)}{again}<p class="note">核验时间 {moment}（北京时间）\
<span lang="en">Checked at {moment} (UTC+8)</span></p>""",
    )


def _registered(proof: RegisteredProof) -> str:
    until = "长期，撤销即止 until revoked" if proof.valid_until is None else proof.valid_until.isoformat()
    rows = [
        _row(Words("签发机关", "Issued by"), proof.organ.zh),
        _row(Words("出具日期", "Issued on"), in_shanghai(proof.issued_at).date().isoformat()),
        _row(Words("有效期至", "Valid until"), until),
        *(_row(field.label, field.value) for field in proof.fields),
    ]
    return f"<h2>{_both(proof.title)}</h2>\n<dl>\n{_lines(rows)}</dl>\n"


def _row(label: Words, value: str) -> str:
    return f"<div><dt>{_both(label)}</dt><dd>{escape(value)}</dd></div>"


def _lines(rows: Sequence[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


def _both(words: Words) -> str:
    return f'{escape(words.zh)}<span lang="en">{escape(words.en)}</span>'


def _page(title: str, body: str) -> str:
    return _PAGE.format(title=escape(title), style=_STYLE, body=body)
