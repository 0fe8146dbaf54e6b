// Keeps the state of the parts fresh and shows the demo outbox. Loads nothing from elsewhere.
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

async function showOutbox(event) {
  event.preventDefault();
  const list = document.getElementById("outbox-messages");
  const phone = document.getElementById("phone").value;
  const say = (text) => list.replaceChildren(element("li", text, "empty"));
  say("Looking …");
  try {
    const answer = await fetch("/demo/outbox/search", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ phone }),
    });
    const found = await answer.json();
    if (!answer.ok) return say(found.detail || found.title);
    if (!found.messages.length) return say("This phone has received nothing yet.");
    list.replaceChildren(
      ...found.messages.map((message) => {
        const row = element("li", "");
        row.append(element("time", new Date(message.shown_at).toLocaleString()), element("span", message.text));
        return row;
      }),
    );
  } catch {
    say("The outbox does not answer; try again in a moment.");
  }
}

setInterval(renewParts, RENEW_MS);
document.getElementById("outbox-form")?.addEventListener("submit", showOutbox);
