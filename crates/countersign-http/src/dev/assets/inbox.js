// The inbox page. Everything that comes from the service goes into the page as text, never as markup.
import { copy, say, toast } from "./common.js";

const $ = (id) => document.getElementById(id);
const list = $("messages");
const filter = $("filter");
const title = document.title;

/** What is on the page, by message id: `{ message, item }`. Newest first is the order of `list`. */
const shown = new Map();

// ---- the service's clock ----

const clock = { at: NaN, since: 0, running: true };
const now = () => clock.at + (clock.running ? performance.now() - clock.since : 0);

function setClock({ now, running }) {
  Object.assign(clock, { at: Date.parse(now), since: performance.now(), running });
  tick();
}

const date = new Intl.DateTimeFormat("en-GB", {
  weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC",
});
const hms = (millis) => new Date(millis).toISOString().slice(11, 19);

/** The two largest units of a duration: `1 h 5 min`. */
function span(millis) {
  const seconds = Math.floor(Math.abs(millis) / 1000);
  const parts = [[86400, "day"], [3600, "h"], [60, "min"], [1, "s"]];
  let rest = seconds;
  const words = [];
  for (const [size, unit] of parts) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) words.push(`${n} ${unit === "day" && n > 1 ? "days" : unit}`);
    else if (words.length) break;
    if (words.length === 2) break;
  }
  return words.join(" ") || "0 s";
}

function ago(millis) {
  if (millis < 5000) return "just now";
  const unit = [86400000, 3600000, 60000, 1000].find((size) => millis >= size);
  return `${span(millis - (millis % unit))} ago`;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function tick() {
  if (Number.isNaN(clock.at)) return;
  const instant = now();
  put($("time"), hms(instant));
  $("time").dateTime = new Date(instant).toISOString();
  put($("date"), `${date.format(instant)} · UTC`);
  const drift = instant - Date.now();
  const apart = Math.abs(drift) > 2000;
  const measure = `${span(Math.round(drift / 1000) * 1000)} ${drift > 0 ? "ahead of" : "behind"} this computer`;
  put($("drift"), !clock.running ? "standing still until pushed" : apart ? measure : "in step with this computer");
  $("drift").toggleAttribute("data-apart", apart || !clock.running);
  for (const { message, item } of shown.values()) age(message, item, instant);
}

/** What is said of a code that is good for nothing any more. */
const endings = {
  used: "code used",
  replaced: "a later message has another code",
  canceled: "verification canceled",
  exhausted: "no guesses left",
  expired: "code expired",
};

function age(message, item, instant) {
  put(item.querySelector(".ago"), ago(instant - Date.parse(message.at)));
  const left = Date.parse(message.expires_at) - instant;
  // The service says so a moment later.
  const state = message.state === "sent" && left <= 0 ? "expired" : message.state;
  const guesses = `${message.guesses_left} ${message.guesses_left === 1 ? "guess" : "guesses"} left`;
  put(item.querySelector(".life"), endings[state] ?? `expires in ${span(left)} · ${guesses}`);
  if (item.dataset.state === state) return;
  item.dataset.state = state;
  item.toggleAttribute("data-dead", state in endings);
  put(item.querySelector("[data-kind='state'] b"), state);
  const good = state in endings ? `, which is no longer good: ${endings[state]}` : "";
  item.querySelector(".code").setAttribute("aria-label", `Copy the code ${[...message.code].join(" ")}${good}`);
}

setInterval(tick, 1000);

for (const button of document.querySelectorAll("[data-push]")) {
  button.addEventListener("click", () => push(Number(button.dataset.push)));
}
$("push").addEventListener("submit", (event) => {
  event.preventDefault();
  push($("seconds").valueAsNumber);
});

async function push(seconds) {
  const answer = await call("/dev/clock", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ advance_seconds: seconds }),
  });
  if (!answer) return;
  setClock({ ...(await answer.json()), running: clock.running });
  say(`The service's clock was pushed by ${span(seconds * 1000)}.`);
  const panel = document.querySelector(".clock .time");
  panel.classList.remove("pushed");
  void panel.offsetWidth; // restarts the animation
  panel.classList.add("pushed");
}

// ---- messages ----

/** `483920` reads as `483 920`: halves up to eight characters, else groups of four. */
function groups(code) {
  const size = code.length < 6 ? code.length : code.length <= 8 ? Math.ceil(code.length / 2) : 4;
  return code.match(new RegExp(`.{1,${size}}`, "g")) ?? [];
}

function element(name, text, attributes = {}) {
  const node = document.createElement(name);
  node.textContent = text;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function card(message) {
  const item = $("message").content.cloneNode(true).firstElementChild;
  const part = (selector) => item.querySelector(selector);
  item.dataset.channel = message.channel;
  item.dataset.id = message.id;
  part(".to").textContent = message.to;
  part(".to").title = message.to;
  part("time").textContent = hms(Date.parse(message.at));
  part("time").dateTime = message.at;
  part("time").title = message.at;
  part(".digits").append(...groups(message.code).map((group) => element("b", group)));
  part(".code").addEventListener("click", () => copy(message.code, part(".code"), part(".code .copy")));
  part(".subject").textContent = message.subject ?? "";
  part(".bubble").lang = message.locale;
  const [before, ...after] = message.text.split(message.code);
  part(".text").append(before, ...after.flatMap((rest) => [element("mark", message.code), rest]));
  const chips = ["channel", "purpose", "tenant", "dialect", "locale", "provider"];
  for (const kind of chips) part(".chips").append(chip(kind, message[kind]));
  part(".chips").append(chip("state", element("b", "")));
  return item;
}

function chip(kind, text, meaning = kind) {
  const node = element("li", "", { "data-kind": kind, title: meaning });
  node.append(element("span", `${kind}: `, { class: "hidden" }), text);
  return node;
}

function add(message, fresh) {
  if (shown.has(message.id)) return;
  const item = card(message);
  shown.set(message.id, { message, item });
  age(message, item, now());
  if (fresh) {
    item.classList.add("fresh");
    list.prepend(item);
    say(`New ${message.channel} message to ${message.to}. The code is ${[...message.code].join(" ")}.`);
    if (document.hidden) unseen += 1;
  } else {
    list.append(item);
  }
}

/** The inbox keeps so many messages; so does the page. */
const CAPACITY = 1000;

function trim() {
  while (list.childElementCount > CAPACITY) {
    shown.delete(list.lastElementChild.dataset.id);
    list.lastElementChild.remove();
  }
}

function empty() {
  shown.clear();
  list.replaceChildren();
}

const squeeze = (text) => text.toLowerCase().replace(/[\s().-]/g, "");

/** Shows what the filter lets through, and says how much that is. */
function show() {
  const wanted = squeeze(filter.value);
  let visible = 0;
  for (const { message, item } of shown.values()) {
    item.hidden = !squeeze(message.to).includes(wanted);
    visible += item.hidden ? 0 : 1;
  }
  const total = shown.size;
  const messages = `${total} ${total === 1 ? "message" : "messages"}`;
  put($("count"), total === 0 ? "" : wanted ? `${visible} of ${messages}` : messages);
  $("empty").hidden = total > 0 || Number.isNaN(clock.at);
  $("no-match").hidden = total === 0 || visible > 0;
  put($("no-match-text"), filter.value.trim());
  for (const control of [clear, filter.parentElement]) control.hidden = total === 0;
  document.title = unseen > 0 ? `(${unseen}) ${title}` : title;
}

filter.addEventListener("input", show);
$("unfilter").addEventListener("click", () => {
  filter.value = "";
  show();
  filter.focus();
});

// One click asks, the second one clears: there is no way back.
const clear = $("clear");
let sure;
function calm() {
  clearTimeout(sure);
  clear.removeAttribute("data-sure");
  clear.textContent = "Clear inbox";
}
clear.addEventListener("click", async () => {
  if (!clear.hasAttribute("data-sure")) {
    clear.setAttribute("data-sure", "");
    clear.textContent = shown.size === 1 ? "Clear 1 message?" : `Clear ${shown.size} messages?`;
    sure = setTimeout(calm, 4000);
    return;
  }
  calm();
  if (await call("/dev/inbox", { method: "DELETE" })) say("The inbox is empty.");
});

let unseen = 0;
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unseen = 0;
  show();
  tick();
  loadSample();
});

// ---- live ----

const states = { live: "Live", lost: "Reconnecting…" };
function setLive(state) {
  $("live").dataset.state = state;
  put($("live").querySelector("span"), states[state]);
}

const events = {
  snapshot({ messages, ...time }) {
    setClock(time);
    empty();
    for (const message of messages) add(message, false);
  },
  message(message) {
    add(message, true);
    trim();
  },
  codes(changed) {
    for (const { id, ...code } of changed) {
      const known = shown.get(id);
      if (!known) continue;
      Object.assign(known.message, code);
      age(known.message, known.item, now());
    }
  },
  cleared: empty,
  clock(time) {
    setClock(time);
    loadSample();
  },
};

let waited = 500;
function connect() {
  const source = new EventSource("/dev/inbox/events");
  for (const [name, handle] of Object.entries(events)) {
    source.addEventListener(name, (event) => {
      handle(JSON.parse(event.data));
      calm(); // the question was about another number of messages
      show();
    });
  }
  source.addEventListener("open", () => {
    waited = 500;
    setLive("live");
  });
  source.addEventListener("error", () => {
    setLive("lost");
    // The browser's own way of trying again gives up after some kinds of failure: ours does not.
    source.close();
    setTimeout(connect, waited);
    waited = Math.min(waited * 1.5, 5000);
  });
}

// ---- the command that fills an empty inbox ----

function block(sample) {
  const figure = $("sample").content.cloneNode(true).firstElementChild;
  figure.querySelector(".title").textContent = sample.title;
  figure.querySelector(".name").textContent = sample.name;
  const code = figure.querySelector("pre code");
  code.textContent = sample.curl;
  figure.querySelector("pre").setAttribute("aria-label", `Command for ${sample.title}`);
  const button = figure.querySelector(".copy");
  button.setAttribute("aria-label", `Copy the command for ${sample.title}`);
  button.addEventListener("click", () => copy(code.textContent, button, button));
  return figure;
}

async function loadSample() {
  const answer = await fetch("/dev/samples").catch(() => null);
  if (!answer?.ok) return;
  const [first] = await answer.json();
  if (first) $("first-sample").replaceChildren(block(first));
}

// ---- small things ----

async function call(path, options) {
  const answer = await fetch(path, options).catch(() => null);
  if (answer?.ok) return answer;
  const problem = await answer?.json().catch(() => null);
  toast(problem ? `${problem.title}: ${problem.detail}.` : "The service did not answer.");
  return null;
}

addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    filter.focus();
  }
  if (event.key === "Escape" && document.activeElement === filter && filter.value) {
    filter.value = "";
    show();
  }
});

// On a phone the messages come first; the clock is one tap away.
$("clock").open = !matchMedia("(max-width: 860px)").matches;
loadSample();
connect();
