// Keeps the state of the parts fresh and shows the demo outbox, and lets people of the demo write back. Loads nothing from elsewhere.
"use strict";

const RENEW_MS = 5000;

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

async function renewParts() {
  const note = document.getElementById("parts-note");
  try {
    const answer = await fetch("/health/ready", { headers: { accept: "application/json" } });
    const state = await answer.json();
    const pill = document.getElementById("ready");
    pill.textContent = state.ready ? "ready" : "not ready";
    pill.className = `pill ${state.ready ? "good" : "bad"}`;
    document.getElementById("parts").replaceChildren(
      ...state.parts.map((part) => {
        const row = element("li", "", part.state);
        row.append(element("strong", part.name), " ", element("span", part.words), " ");
        row.append(element("em", `${part.state} · ${part.milliseconds} ms`));
        return row;
      }),
    );
    note.textContent = `Asked at ${new Date().toLocaleTimeString()}; renewed every five seconds.`;
  } catch {
    note.textContent = "The city does not answer. What stands above is from before; trying again.";
  }
}

async function post(path, content) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(content),
  });
  return { ok: answer.ok, said: await answer.json() };
}

function place() {
  return document.getElementById("place").value.trim();
}

async function showOutbox(event) {
  event.preventDefault();
  const list = document.getElementById("outbox-messages");
  const say = (text) => list.replaceChildren(element("li", text, "empty"));
  say("Looking …");
  try {
    const asked = place().includes("@") ? { email: place() } : { phone: place() };
    const { ok, said } = await post("/demo/outbox/search", asked);
    if (!ok) return say(said.detail || said.title);
    if (!said.messages.length) return say("Nothing was received here yet.");
    list.replaceChildren(
      ...said.messages.map((message) => {
        const row = element("li", "");
        row.append(element("time", new Date(message.shown_at).toLocaleString()), element("span", message.text));
        return row;
      }),
    );
  } catch {
    say("The outbox does not answer; try again in a moment.");
  }
}

async function writeBack(event) {
  event.preventDefault();
  const note = document.getElementById("reply-note");
  const words = document.getElementById("reply");
  if (!words.value.trim()) return;
  note.textContent = "Sending …";
  try {
    const { ok, said } = await post("/demo/texts", { phone: place(), text: words.value });
    note.textContent = ok ? `Sent to ${said.to_number}; what follows comes within seconds.` : said.detail || said.title;
    if (ok) words.value = "";
  } catch {
    note.textContent = "The city does not answer; try again in a moment.";
  }
}

setInterval(renewParts, RENEW_MS);
document.getElementById("outbox-form")?.addEventListener("submit", showOutbox);
document.getElementById("reply-form")?.addEventListener("submit", writeBack);
