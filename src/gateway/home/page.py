"""The first page and the API reference pages, as HTML. Plain text goes in; everything is escaped here."""

from collections.abc import Sequence
from html import escape

from gateway.demo.cast import Cast, Role
from gateway.home.parts_state import CityState, PartState

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REFERENCE_SECURITY_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""The API reference's own library writes style attributes."""

AUDIENCES = (
    (
        "resident",
        "Residents",
        "市民",
        "One sign-in for everything: certificates, appointments, notices, department apps.",
    ),
    ("mini", "Mini-program", "小程序", "The same in a few taps inside a chat app; scan a venue's code to check in."),
    ("venue", "Venues", "场所", "Scan a code, get an answer with only the fields your scenario allows."),
    ("department", "Departments", "委办局", "Issue certificates, send notices, run desks, join with one manifest."),
    (
        "notify",
        "Programs",
        "程序",
        "Departments' programs written for GOV.UK Notify send by their own clients, with an API key.",
    ),
    ("operator", "Operators", "运营", "Keep it running: parts, alerts, what departments may send, audit."),
    ("public", "Everybody", "公众", "Keys, health, and the demo's short cuts."),
)

_ROLE_NAMES = {
    "resident": "Resident 市民",
    "venue": "Venue 场所",
    "desk": "Desk 窗口",
    "operator": "Operator 运营",
    "department": "Department 委办局",
}


def first_page(state: CityState, cast: Cast | None) -> str:
    """The page at `/`: what this is, who can sign in, the demo outbox, the API per audience, the state of each part."""
    demo = _demo(cast) if cast is not None else ""
    return _document(
        "Suishenban 随申办",
        f"""
<header class="hero">
  <p class="seal" aria-hidden="true">申</p>
  <h1>Suishenban <span lang="zh">随申办</span></h1>
  <p class="lead">One entrance to the whole city. Find the government, not the department;
    <span lang="zh">让数据多跑路、让群众少跑腿</span>.</p>
</header>
<main>
  <section aria-labelledby="state">
    <h2 id="state">How it is now {_ready(state)}</h2>
    <ul class="parts" id="parts">{"".join(_part(part) for part in state.parts)}</ul>
    <p class="quiet" id="parts-note">Asked when this page was made; renewed every five seconds.</p>
  </section>
  {demo}
  <section aria-labelledby="reference">
    <h2 id="reference">The interfaces <span lang="zh">接口</span></h2>
    <ul class="cards">{"".join(_audience(*audience) for audience in AUDIENCES)}</ul>
    <p class="quiet">Each is OpenAPI 3.1, read and tried out on this machine: no request leaves it.
      Tokens are proved with the <a href="/.well-known/jwks.json">public keys</a>;
      <a href="/metrics">metrics</a> speak Prometheus.</p>
  </section>
</main>
<footer><p>Demo people, venues and certificates are invented.</p></footer>
<script src="/static/first-page.js" defer></script>""",
        stylesheet="/static/first-page.css",
    )


def _ready(state: CityState) -> str:
    mood, words = ("good", "ready") if state.ready else ("bad", "not ready")
    return f'<span class="pill {mood}" id="ready">{words}</span>'


def _part(part: PartState) -> str:
    return (
        f'<li class="{part.state}"><strong>{escape(part.name)}</strong> <span>{escape(part.words)}</span>'
        f" <em>{'up' if part.state == 'up' else 'away'} · {part.milliseconds} ms</em></li>"
    )


def _demo(cast: Cast) -> str:
    return f"""
  <section aria-labelledby="who">
    <h2 id="who">Who can sign in</h2>
    <ul class="cards">{_roles(cast.roles)}</ul>
  </section>
  <section aria-labelledby="outbox">
    <h2 id="outbox">The demo outbox <span class="pill">stand-in for the carriers</span></h2>
    <p>SMS and e-mail of this demo are shown here instead of being sent. Type a demo phone number or an e-mail address
      to read what it received; write back as that phone, and see what follows.</p>
    <form id="outbox-form" class="row">
      <label for="place">Phone or e-mail</label>
      <input id="place" name="place" autocomplete="off" value="{escape(_some_phone(cast))}">
      <button type="submit">Show its messages</button>
    </form>
    <form id="reply-form" class="row">
      <label for="reply">Write back</label>
      <input id="reply" name="reply" autocomplete="off" maxlength="70" placeholder="T 退订 · Y 确认">
      <button type="submit">Send as this phone</button>
      <output id="reply-note" class="quiet" for="reply"></output>
    </form>
    <ol id="outbox-messages" class="messages" aria-live="polite"><li class="empty">Nothing looked up yet.</li></ol>
  </section>"""


def _some_phone(cast: Cast) -> str:
    return cast.residents[0].phone if cast.residents else ""


def _roles(roles: Sequence[Role]) -> str:
    return "".join(
        f'<li><h3>{_ROLE_NAMES[role.role]}</h3><p class="who">{escape(role.who)}</p><p>{escape(role.how)}</p>'
        f'<p class="quiet">{escape(role.what)}</p></li>'
        for role in roles
    )


def _audience(slug: str, name: str, chinese: str, words: str) -> str:
    return (
        f'<li><h3><a href="/reference/{slug}">{name} <span lang="zh">{chinese}</span></a></h3><p>{words}</p>'
        f'<p class="quiet"><a href="/openapi/{slug}.json">openapi/{slug}.json</a></p></li>'
    )


def reference_page(audience: str) -> str:
    """The API reference of one audience."""
    return _document(
        f"API for {audience} — Suishenban",
        '<p class="back"><a href="/">← Suishenban 随申办</a></p><div id="reference"></div>'
        '<script src="/static/reference/swagger-ui-bundle.js"></script>'
        '<script src="/static/reference/start.js"></script>',
        stylesheet="/static/reference/swagger-ui.css",
        audience=audience,
    )


def _document(title: str, body: str, *, stylesheet: str, audience: str = "") -> str:
    return f"""<!doctype html>
<html lang="en"{f' data-audience="{escape(audience)}"' if audience else ""}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{stylesheet}">
</head>
<body>{body}
</body>
</html>
"""
