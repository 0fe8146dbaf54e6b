"""The page of the hall's screen (叫号屏), for everybody's eyes: big numbers, both languages, no other file.

It is drawn whole at first, so that it shows something without a script; then its script follows the events beside it,
and says so when it hears nothing. Nobody scrolls a hall's screen: what is more than fits is written smaller, down to
what can still be read from afar, and of more services than that the next are shown every few seconds. Whatever came
from elsewhere is escaped here, or set as text there.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Final

import msgspec

from appointments.desk.display.boards import Board

_STYLE: Final = """
:root{--ink:#f4f6fa;--quiet:#a6b2c4;--paper:#0b1526;--card:#14213a;--line:#2a3a58;--now:#ffd15c;--free:#6d7f9c;
--bad:#ff9d92;color-scheme:dark}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;background:var(--paper);color:var(--ink);display:flex;flex-direction:column;
font:clamp(1rem,1.05vw + .55rem,1.75rem)/1.35 system-ui,"PingFang SC","Noto Sans CJK SC","Microsoft YaHei",sans-serif}
header{display:flex;justify-content:space-between;align-items:center;gap:1rem;padding:.8em 1.2em;
border-bottom:2px solid var(--line)}
h1{font-size:1.45em;margin:0;line-height:1.2}
[lang=en]{color:var(--quiet);font-weight:400;font-size:.62em;display:block}
.clock{font-size:1.6em;font-variant-numeric:tabular-nums;white-space:nowrap}
main{flex:1;display:grid;grid-template-columns:minmax(0,2.1fr) minmax(0,1fr);gap:1em;padding:1em 1.2em;
align-content:start}
h2{font-size:1em;margin:0 0 .5em;color:var(--quiet);font-weight:600}
h2 [lang=en]{display:inline;margin-left:.5em;font-size:.75em}
ul,ol{list-style:none;margin:0;padding:0}
.counters{display:grid;grid-template-columns:repeat(auto-fill,minmax(12em,1fr));gap:.7em}
.counters.many{grid-template-columns:repeat(auto-fill,minmax(9em,1fr))}
.counters li{background:var(--card);border:2px solid var(--line);border-radius:.5em;padding:.5em .7em;text-align:center}
.counters b{display:block;font-size:3.8em;line-height:1.15;font-variant-numeric:tabular-nums}
.counters.many b{font-size:2.5em}
.counters .called{border-color:var(--now)}.counters .called b{color:var(--now)}
.counters .free b{color:var(--free)}
.counters .fresh{animation:fresh 1s steps(2) 6}
@keyframes fresh{50%{background:var(--now)}50%{color:var(--paper)}}
@media(prefers-reduced-motion:reduce){.counters .fresh{animation:none;outline:.2em solid var(--now)}}
.counters .says{color:var(--quiet);font-size:.8em;white-space:nowrap}.counters.many .says{font-size:.68em}
aside section{background:var(--card);border-radius:.5em;padding:.7em .9em;margin-bottom:1em}
aside section:last-child{margin-bottom:0}
.last li{display:flex;justify-content:space-between;padding:.1em 0;font-variant-numeric:tabular-nums}
.last [lang=en]{display:inline;margin-left:.5em}
.lines li{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:0 .6em;padding:.3em 0;
border-top:1px solid var(--line)}
.lines li:first-child{border-top:0}
.lines li>:last-child{text-align:right}
.lines .wait{display:block;color:var(--quiet);font-size:.75em;font-weight:400}
h2 .which{float:right;font-weight:400;font-variant-numeric:tabular-nums}
[hidden]{display:none!important}
.is-fitted{height:100vh;overflow:hidden}
.is-fitted main{min-height:0;grid-template-rows:minmax(0,1fr);align-content:stretch}
.is-fitted #now,.is-fitted #beside{min-height:0;overflow:hidden}
.counters .none,.last .none,.lines .none{display:block;grid-column:1/-1;color:var(--quiet)}
.counters .none{padding:2em;font-size:1.5em;border-style:dashed}
.offline{display:none;margin:0;background:var(--bad);color:var(--paper);padding:.5em 1.2em;font-weight:600}
.offline [lang=en]{display:inline;color:inherit;margin-left:.6em;font-size:.8em}
.is-offline .offline{display:block}.is-offline main{opacity:.45}
@media(max-width:60rem){main{grid-template-columns:minmax(0,1fr)}
.counters,.counters.many{grid-template-columns:repeat(2,minmax(0,1fr))}.counters b,.counters.many b{font-size:2.2em}}
"""

_SCRIPT: Final = """
"use strict";
const SILENT_MS = 40000, AGAIN_MS = 3000, TURN_MS = 10000, BIG_MAX = 12;
const WIDE = matchMedia("(min-width:60.01rem)"), STEP = .05, SMALLEST = .6, SMALLEST_COUNTERS = .4;
const at = id => document.getElementById(id);
const make = (tag, kind, ...within) => {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.append(...within);
  return made;
};
const both = (zh, en) => {
  const english = make("span", "", en);
  english.lang = "en";
  return [zh, english];
};
let heardAt = Date.now(), seen = null, lines = [], first = 0, turnedAt = Date.now();
function counter(one) {
  const kind = one.number === null ? "free" : one.stage === "called" ? "called" : "serving";
  const says = {free: ["空闲", "Free"], called: ["请到窗口", "Please come"], serving: ["正在办理", "Serving"]}[kind];
  const key = one.counter + "/" + one.number + "/" + one.calls;
  const isFresh = kind === "called" && seen !== null && !seen.has(key);
  return [key, make("li", isFresh ? kind + " fresh" : kind, ...both(one.counter + "号窗口", "Counter " + one.counter),
    make("b", "", one.number ?? "—"), make("span", "says", says[0] + " " + says[1]))];
}
function line(one) {
  const waiting = Object.values(one.waiting).reduce((sum, count) => sum + count, 0);
  const wait = one.wait_minutes === null ? "暂无窗口 No counter open"
    : "约" + one.wait_minutes + "分钟 ≈" + one.wait_minutes + " min";
  return make("li", "", make("span", "", ...both(one.service_zh, one.service_en)),
    make("b", "", waiting + "人", make("span", "wait", wait)));
}
function drawLines() {
  const turned = lines.slice(first).concat(lines.slice(0, first));
  at("lines").replaceChildren(...(turned.length ? turned.map(line) : none("没有可办事项", "No services")));
  fit();
}
const isTooFull = box => box.scrollHeight > box.clientHeight;
function shrink(box, smallest) {
  box.style.fontSize = "";
  for (let size = 1 - STEP; isTooFull(box) && size >= smallest; size -= STEP) box.style.fontSize = size + "em";
}
function fit() {
  document.body.classList.toggle("is-fitted", WIDE.matches);
  const shown = [...at("lines").children];
  for (const one of shown) one.hidden = false;
  at("which").textContent = "";
  if (!WIDE.matches) {
    for (const id of ["now", "beside"]) at(id).style.fontSize = "";
    return;
  }
  shrink(at("now"), SMALLEST_COUNTERS);
  shrink(at("beside"), SMALLEST);
  for (let left = shown.length - 1; left > 0 && isTooFull(at("beside")); left--) shown[left].hidden = true;
  const count = shown.filter(one => !one.hidden).length;
  if (count < lines.length)
    at("which").textContent = (first + 1) + "–" + ((first + count - 1) % lines.length + 1) + " / " + lines.length;
}
function turn() {
  const count = [...at("lines").children].filter(one => !one.hidden).length;
  turnedAt = Date.now();
  if (count < lines.length) first = (first + count) % lines.length;
  drawLines();
}
const none = (zh, en) => [make("li", "none", ...both(zh, en))];
function draw(board) {
  const counters = board.counters.map(counter);
  at("counters").replaceChildren(...(counters.length ? counters.map(([, made]) => made)
    : none("窗口尚未开放", "No counter is open")));
  at("counters").classList.toggle("many", counters.length > BIG_MAX);
  seen = new Set(counters.map(([key]) => key));
  const last = board.last_called.map(one => make("li", "", make("b", "", one.number),
    make("span", "", ...both(one.counter + "号窗口", "Counter " + one.counter))));
  at("last").replaceChildren(...(last.length ? last : none("今日尚未叫号", "Nothing called yet today")));
  lines = board.lines;
  first = first < lines.length ? first : 0;
  drawLines();
  hear();
}
function hear() {
  heardAt = Date.now();
  document.body.classList.remove("is-offline");
}
async function ask() {
  try {
    const answer = await fetch("display", {cache: "no-store"});
    if (answer.ok) draw(await answer.json());
  } catch (lost) {
    if (!(lost instanceof TypeError)) throw lost;
  }
}
function follow() {
  const events = new EventSource("display/events");
  events.addEventListener("board", event => draw(JSON.parse(event.data)));
  events.addEventListener("open", hear);
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, AGAIN_MS);
    ask();
  });
}
function tick() {
  const time = new Date().toLocaleTimeString("zh-CN", {timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit"});
  at("clock").textContent = time;
  const silent = Date.now() - heardAt;
  if (silent > SILENT_MS / 2) ask();
  document.body.classList.toggle("is-offline", silent > SILENT_MS);
  if (Date.now() - turnedAt >= TURN_MS) turn();
  else fit();
}
draw(JSON.parse(at("board").textContent));
follow();
tick();
setInterval(tick, 5000);
new ResizeObserver(fit).observe(document.querySelector("main"));
"""


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; connect-src 'self'; img-src data:;"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""To be sent with the page: its one style and its one script, and nothing but its own display to ask."""

_PAGE: Final = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{zh} 叫号 {en}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header><h1>{zh}<span lang="en">{en}</span></h1><div class="clock" id="clock"></div></header>
<p class="offline" role="alert">显示已中断，请留意现场叫号
<span lang="en">The display is cut off: listen for your number</span></p>
<main>
<section id="now" aria-live="polite"><h2>正在叫号<span lang="en">Now</span></h2>
<ul class="counters" id="counters">{counters}</ul></section>
<aside id="beside">
<section><h2>最近叫号<span lang="en">Called last</span></h2><ol class="last" id="last">{last}</ol></section>
<section><h2>等候<span lang="en">Waiting</span><span class="which" id="which"></span></h2>
<ul class="lines" id="lines"></ul></section>
</aside>
</main>
<script type="application/json" id="board">{board}</script>
<script>{script}</script>
</body>
</html>
"""


def board_page(board: Board) -> str:
    """The page of an office's display, with the board as it is now in it."""
    counters = "".join(f"<li>{one.counter}号窗口<b>{escape(one.number or '—')}</b></li>" for one in board.counters)
    last = "".join(f"<li><b>{escape(one.number)}</b><span>{one.counter}号窗口</span></li>" for one in board.last_called)
    return _PAGE.format(
        zh=escape(board.office_zh),
        en=escape(board.office_en),
        style=_STYLE,
        script=_SCRIPT,
        counters=counters,
        last=last,
        board=msgspec.json.encode(board).decode().replace("<", "\\u003c"),
    )
