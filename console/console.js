// Shows one box and says its commands: MQTT 5 over WebSocket, the topics of docs/mqtt.md, no state of its own.
"use strict";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const stored = (key) => localStorage.getItem(`livebox.${key}`);
const store = (key, value) => localStorage.setItem(`livebox.${key}`, value);

/** Figures older than this, or than three of the box's own paces, are not the present. */
const STALE_AFTER_MS = 12_000;
/** A box answers within a second; after this nobody will. */
const ANSWER_WITHIN_MS = 10_000;
/** The box tells meters for half a minute after it was asked. */
const METERS_EVERY_MS = 20_000;
/** Meters older than this are not of now. */
const METERS_FRESH_MS = 1_500;
/** An armed stop is forgotten after this. */
const ARMED_FOR_MS = 5_000;

const consoleId = `web-${Math.random().toString(36).slice(2, 10)}`;
const view = { state: null, info: null, health: null, meters: null, metersAt: 0, links: new Map(), freshAt: 0, pace: 0, retained: false };
const asked = new Map();

let lang = query.get("lang") || stored("lang") || (navigator.language.startsWith("zh") ? "zh" : "en");
let client = null;
let prefix = "";
let lineWord = "connecting";
let armedUntil = 0;
let answer = null;

const word = (key) => WORDS[lang][key] ?? key;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// ---- the session

function connect({ broker, device, user, password }) {
  client?.end(true);
  Object.assign(view, { state: null, info: null, health: null, meters: null, links: new Map(), freshAt: 0, retained: false });
  prefix = `livebox/v1/${device}`;
  $("device").textContent = device;
  document.title = `${device} · livebox`;
  lineWord = "connecting";
  try {
    client = mqtt.connect(broker, {
      protocolVersion: 5,
      clientId: consoleId,
      clean: true,
      reconnectPeriod: 2000,
      connectTimeout: 5000,
      username: user || undefined,
      password: password || undefined,
    });
  } catch {
    lineWord = "badAddress";
    $("door").hidden = false;
    return render();
  }
  client.on("connect", () => {
    lineWord = "connected";
    client.subscribe([`${prefix}/state`, `${prefix}/info`, `${prefix}/health`, `${prefix}/links/+`, `${prefix}/ack/${consoleId}`], { qos: 1 });
    client.subscribe(`${prefix}/meters`, { qos: 0 });
    askMeters();
    render();
  });
  client.on("close", () => {
    lineWord = "disconnected";
    render();
  });
  client.on("error", () => {});
  client.on("message", (topic, payload, packet) => receive(topic, payload, packet.retain));
}

function receive(topic, payload, retained) {
  let message;
  try {
    message = JSON.parse(payload.toString());
  } catch {
    return;
  }
  const branch = topic.slice(prefix.length + 1);
  if (branch.startsWith("ack/")) return hear(message);
  if (branch === "state") view.state = message;
  if (branch === "info") view.info = message;
  if (branch === "meters") {
    Object.assign(view, { meters: message, metersAt: Date.now() });
    return renderMeters();
  }
  if (branch.startsWith("links/")) view.links.set(branch.slice("links/".length), message);
  if (branch === "health") {
    view.health = message;
    const now = Date.now();
    if (retained) {
      view.retained = true;
    } else {
      if (view.freshAt && now - view.freshAt > 1000) view.pace = now - view.freshAt;
      view.freshAt = now;
      view.retained = false;
    }
  }
  render();
}

// ---- commands

function send(verb, more = {}) {
  const id = `${consoleId}-${Date.now()}`;
  if (!client?.connected) return tell("bad", word("notSent"));
  asked.set(id, setTimeout(() => {
    asked.delete(id);
    tell("bad", word("noAnswer"));
  }, ANSWER_WITHIN_MS));
  tell("wait", word("sent"));
  client.publish(`${prefix}/cmd/${verb}`, JSON.stringify({ id, console: consoleId, ...more }), {
    qos: 1,
    properties: { responseTopic: `${prefix}/ack/${consoleId}`, correlationData: new TextEncoder().encode(id), messageExpiryInterval: 15 },
  });
}

/** Meters are told only while somebody looks: a page in the background asks for none. */
function askMeters() {
  if (client?.connected && !document.hidden) client.publish(`${prefix}/cmd/meters`, "{}", { qos: 0 });
}

function hear(message) {
  clearTimeout(asked.get(message.id));
  asked.delete(message.id);
  answer = { kind: message.result === "refused" ? "bad" : "good", message };
  render();
}

function tell(kind, text) {
  answer = { kind, text };
  render();
}

// ---- what is seen

const VERDICTS = new Set(["good", "warn", "bad", "unknown"]);
const verdictOf = (reading) => (VERDICTS.has(reading?.verdict) ? reading.verdict : "unknown");
const number = (value, digits) => (typeof value === "number" ? value.toFixed(digits) : "–");

function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  return [s / 3600, (s / 60) % 60, s % 60].map((n) => String(Math.floor(n)).padStart(2, "0")).join(":");
}

/** The box's own time now: its last stamp, and what has passed here since. */
function boxNow() {
  const at = view.health?.at?.s;
  if (typeof at !== "number") return null;
  return at + (view.freshAt ? (Date.now() - view.freshAt) / 1000 : 0);
}

/** How long ago that was, by the box's own scale. */
function ago(seconds) {
  const now = boxNow();
  return now !== null && typeof seconds === "number" ? clock(now - seconds) : "";
}

function staleness() {
  const presence = view.state?.status;
  if (!client?.connected || presence === "lost" || presence === "disconnected") return { stale: true };
  if (!view.health) return { stale: true };
  if (view.retained || !view.freshAt) return { stale: true, text: word("waiting") };
  const age = Date.now() - view.freshAt;
  if (age <= Math.max(STALE_AFTER_MS, 3 * view.pace)) return { stale: false };
  return { stale: true, text: word("stale")(Math.round(age / 1000)) };
}

function figure(name, reading, unit, digits, sense = "wanted") {
  const wanted = typeof reading?.wanted === "number" ? `${word(sense)} ${number(reading.wanted, digits)}` : "";
  return make("div", { class: `figure ${verdictOf(reading)}`, "data-figure": name },
    make("span", { class: "name" }, word(name)),
    make("b", {}, number(reading?.measured, digits), make("small", {}, unit)),
    make("span", { class: "wanted" }, wanted));
}

function renderAir(stale) {
  const presence = view.state?.status;
  let phase = view.health && view.state?.phase ? view.state.phase : "unknown";
  if (presence === "lost") phase = "lost";
  if (presence === "disconnected") phase = "gone";
  const alert = presence === "alert" && phase === "live";
  $("air").className = `${phase} ${alert ? "alert" : ""} ${stale ? "old" : ""}`;
  $("phase").textContent = word(phase);
  const now = boxNow();
  const since = view.state?.since_s;
  $("since").textContent = !stale && now !== null && typeof since === "number" ? clock(now - since) : "";
  $("slate").hidden = !view.health?.programme?.slate;
}

function renderFigures() {
  const programme = view.health?.programme;
  const output = programme?.output_open;
  const encoder = programme?.encoder ? `${word("encoder")} ${programme.encoder}` : "";
  $("figures").replaceChildren(
    figure("bitrate", programme?.bitrate, "Mbit/s", 2),
    figure("fps", programme?.fps, "fps", 1),
    figure("safe_rate", programme?.safe_rate, "Mbit/s", 2),
    make("p", { id: "output", class: output ? "good" : "" }, programme ? word(output ? "outputOpen" : "outputClosed") : "", make("small", {}, encoder)),
    ...(view.health?.far_end?.streams ?? []).map(heard));
}

/** What the gateway hears of one stream, and where it goes on to. */
function heard(echo) {
  const sense = (what) => make("span", { class: { ok: "good", absent: "bad", still: "warn" }[echo[what]] ?? "" },
    `${word(what)} ${word("senses")[echo[what]] ?? echo[what]}`);
  const seen = echo.kind === "ts" ? ["flow", "clock", "picture", "sound"] : ["flow"];
  const gaps = echo.gaps || echo.missing ? make("span", { class: "warn" }, `${word("gaps")} ${echo.gaps + echo.missing}`) : null;
  const places = (echo.destinations ?? []).map((d) => make("span", { class: d.session === "open" ? "good" : "bad", "data-destination": d.name },
    `→ ${d.name} ${word("sessions")[d.session] ?? d.session}`));
  return make("p", { class: "heard", "data-stream": echo.stream }, `${word("farEnd")} ${echo.stream}: `, ...seen.map(sense), gaps, ...places);
}

function renderHand(stale) {
  const programme = view.health?.programme;
  const live = view.state?.phase === "live" || view.state?.phase === "starting";
  const armed = Date.now() < armedUntil;
  $("start").disabled = stale || live;
  $("stop").disabled = stale || !live;
  $("stop").classList.toggle("armed", armed);
  $("stop").firstElementChild.textContent = word(armed ? "sure" : "stop");
  for (const button of document.querySelectorAll("[data-layout]")) {
    button.classList.toggle("on", programme?.layout === button.dataset.layout);
    button.disabled = stale;
  }
  for (const button of document.querySelectorAll("[data-line]")) {
    button.classList.toggle("on", programme?.line === button.dataset.line);
    button.disabled = stale;
    const embedded = button.dataset.line === "embedded";
    const input = view.health?.inputs?.find((i) => i.source === (embedded ? "embedded" : `mixer_${button.dataset.line}`));
    if (embedded) button.hidden = !view.info?.lines?.includes("embedded");
    button.classList.toggle("dead", input ? !input.present : false);
    button.querySelector(".meter i").style.width = `${meter(input?.level)}%`;
  }
  const recording = view.health?.recording;
  const undo = view.health?.agenda?.undo_until;
  $("next-speaker").disabled = stale;
  $("undo-speaker").disabled = stale || undo === null || undo === undefined;
  $("record").disabled = stale;
  $("record").classList.toggle("on", recording?.running === true);
  $("record").firstElementChild.textContent = word(recording?.wanted ? "recordOff" : "recordOn");
  const box = $("answer");
  box.className = answer?.kind ?? "";
  const said = answer?.message;
  box.textContent = said ? `${word(said.verb)}: ${said[lang] ?? said.result}` : answer?.text ?? "";
  box.dataset.result = said?.result ?? "";
}

// ---- the sound

const LEVELS = [["peak", "dBFS"], ["true_peak", "dBTP"], ["rms", "dBFS"], ["momentary", "LUFS"], ["short_term", "LUFS"], ["integrated", "LUFS"]];

/** Louder than the limiter's ceiling is bad, louder than a mixer should send is worth a look. */
const loud = (key, value) => (key !== "true_peak" || typeof value !== "number" ? "" : value > -1 ? "bad" : value > -6 ? "warn" : "");

function soundCard(name, title, ...more) {
  return make("article", { "data-sound": name }, make("h3", {}, title),
    make("div", { class: "bars" }, make("span", { class: "meter" }, make("i")), make("span", { class: "meter" }, make("i"))),
    make("dl", {}, ...LEVELS.flatMap(([key, unit]) => [make("dt", {}, word(key)), make("dd", { "data-level": key }, "–", make("small", {}, unit))])),
    ...more);
}

function finding(found) {
  return make("li", { "data-fault": found.fault }, make("b", {}, found.text?.[lang] ?? found.fault),
    make("time", {}, ` −${ago(found.since_s)} · ${word("confidence")} ${Math.round((found.confidence ?? 0) * 100)} %`), make("em", {}, found.advice?.[lang] ?? ""));
}

/** What a report will say of the show: the loudest moment, the loudness over all of it, and how often something was wrong. */
function showLine(sound, loudness, faults) {
  if (!sound.show || typeof loudness?.true_peak !== "number") return null;
  const count = faults ? ` · ${word("faultsCount")(faults)}` : "";
  return make("p", { class: "show" }, `${word(sound.show.until_s === null ? "showSoFar" : "showLast")}: ${word("integrated")} ${number(loudness.integrated, 1)} LUFS · ${word("true_peak")} ${number(loudness.true_peak, 1)} dBTP${count}`);
}

function renderSound() {
  const sound = view.health?.sound;
  const onAir = view.health?.programme?.line;
  const cards = (sound?.lines ?? []).map((line) => {
    const show = sound.show?.lines?.[["a", "b", "embedded"].indexOf(line.line)];
    const facts = line.levels === null ? [word("nothing")] : [word("leads")[line.leads] ?? line.leads];
    if (typeof line.ppm === "number") facts.push(`${word("ppm")} ${line.ppm > 0 ? "+" : ""}${line.ppm.toFixed(1)} ppm`);
    facts.push(`${word("gain")} ${number(line.gain_db, 1)} dB`, `${word("delay")} ${line.delay_ms} ms`);
    const found = (sound.findings ?? []).filter((f) => f.line === line.line);
    const title = word({ a: "lineA", b: "lineB" }[line.line] ?? line.line) + (line.line === onAir ? ` · ${word("onAir")}` : "");
    const card = soundCard(line.line, title, make("p", { class: "facts" }, facts.join(" · ")),
      make("ul", {}, ...(found.length || line.levels === null ? found.map(finding) : [make("li", { class: "none" }, word("well"))])),
      showLine(sound, show, (show?.faults?.length ?? 0) + (show?.more ?? 0)));
    card.className = `${found.length ? "warn" : ""} ${line.line === onAir ? "on" : ""} ${line.levels === null ? "dead" : ""}`;
    return card;
  });
  const notes = [];
  if (typeof sound?.lag_ms === "number") notes.push(word("lag")(sound.lag_ms));
  if (sound?.wait_ms > 0.05) notes.push(word("wait")(sound.wait_ms));
  if (sound?.inverted) notes.push(word("turned"));
  if (sound?.mute) notes.push(word("mutedNow"));
  $("sound").hidden = !sound;
  $("sound").querySelector("div").replaceChildren(...cards, soundCard("programme", word("programme"), sound ? showLine(sound, sound.show?.programme, 0) : null));
  $("sound").querySelector(":scope > p").textContent = notes.join(" · ");
  renderMeters();
}

/** The levels alone: ten times a second where the box tells them so, else with everything else. */
function renderMeters() {
  const sound = view.health?.sound;
  const fresh = view.meters && Date.now() - view.metersAt < METERS_FRESH_MS;
  const meters = fresh ? view.meters : sound;
  $("sound").classList.toggle("quick", Boolean(fresh));
  for (const card of document.querySelectorAll("[data-sound]")) {
    const name = card.dataset.sound;
    const levels = name === "programme" ? meters?.programme : meters?.lines?.find((line) => line.line === name)?.levels;
    const [body, top] = card.querySelectorAll(".meter i");
    body.style.width = `${meter(levels?.rms)}%`;
    top.style.width = `${meter(levels?.true_peak)}%`;
    for (const [key, unit] of LEVELS) {
      const shown = card.querySelector(`[data-level="${key}"]`);
      // below what any mixer sends there is nothing to read
      const value = levels?.[key];
      shown.firstChild.textContent = typeof value === "number" && value < -100 ? "−∞" : number(value, 1);
      shown.className = loud(key, value);
      shown.lastChild.textContent = unit;
    }
  }
}

const meter = (level) => (typeof level === "number" ? Math.max(0, Math.min(100, 100 + (level / 60) * 100)) : 0);

function renderLinks() {
  const slots = view.info?.slots ?? [...view.links.keys()].sort();
  $("links").querySelector("div").replaceChildren(...slots.map((slot) => {
    const link = view.links.get(slot);
    const rate = link?.rate_mbit?.measured ?? 0;
    // how much of what the link is believed to carry it carries
    const share = (rate / Math.max(rate, link?.capacity_mbit?.measured ?? 0, 0.1)) * 100;
    const phase = link && !link.carrier ? word("noCarrier") : word(link?.phase ?? "unknown");
    const bar = make("i");
    bar.style.height = `${Math.max(share, link?.phase === "up" ? 2 : 0)}%`;
    return make("article", { class: `link ${link?.phase ?? ""} ${VERDICTS.has(link?.verdict) ? link.verdict : "unknown"}`, "data-slot": slot },
      make("h3", {}, slot),
      make("div", { class: "tower" }, bar, make("b", {}, number(link?.rate_mbit?.measured, 2))),
      make("p", { class: "phase" }, phase),
      make("p", {}, `${number(link?.rtt_ms?.measured, 0)} ms · ${number((link?.loss?.measured ?? NaN) * 100, 1).replace("NaN", "–")} %`),
      make("p", {}, `${word("room")} ${number(link?.capacity_mbit?.measured, 1)}`));
  }));
}

function renderAgenda() {
  const { agenda, recording } = view.health ?? {};
  const talk = (which) => {
    const talk = agenda?.[which];
    const said = talk ? [talk.clock, talk.speaker, talk.title].filter(Boolean).join(" · ") : word("nobody");
    return make("li", { "data-talk": which }, make("span", { class: "grade" }, word(which)), make("b", {}, said),
      talk && !talk.allowed?.record ? make("small", {}, word("noRecord")) : null);
  };
  const standing = recording?.running ? "recording" : recording?.wanted ? "recordFailed" : "notRecording";
  const minutes = recording?.room_min?.measured;
  const room = typeof minutes === "number" ? `${word("room")} ${number(minutes, 0)} ${word("minutes")}` : "";
  $("agenda").querySelector("ul").replaceChildren(...(agenda?.talks ? [talk("now"), talk("next")] : []),
    make("li", { class: standing === "recordFailed" ? "bad" : "", "data-recording": standing },
      make("span", { class: "grade" }, word(standing)), make("b", {}, recording?.file ?? ""), make("small", {}, room)));
}

function renderLists(stale) {
  const health = view.health;
  const alarms = health?.alarms ?? [];
  const now = boxNow();
  $("alarms").querySelector("ul").replaceChildren(...(alarms.length
    ? alarms.map((alarm) => make("li", { class: alarm.severity, "data-alarm": alarm.kind },
      make("span", { class: "grade" }, word(alarm.severity), make("time", {}, ago(alarm.since_s))),
      make("b", {}, alarm.text?.[lang] ?? alarm.kind), make("em", {}, alarm.advice?.[lang] ?? "")))
    : [make("li", { class: stale ? "" : "none" }, stale ? "–" : word("noAlarms"))]));
  $("inputs").querySelector("ul").replaceChildren(...(health?.inputs ?? []).map((input) => {
    const level = typeof input.level === "number" ? make("span", { class: "meter" }, make("i")) : null;
    if (level) level.firstElementChild.style.width = `${meter(input.level)}%`;
    return make("li", { class: input.present ? "good" : "bad", "data-input": input.source },
      make("b", {}, word(input.source)), make("span", { class: "grade" }, word(input.present ? "present" : "absent")),
      level, level ? make("small", {}, `${number(input.level, 0)} dBFS`) : null, make("small", {}, input.detail?.[lang] ?? ""));
  }));
  const machine = health?.machine;
  $("machine").querySelector("div").replaceChildren(
    figure("cpu", machine?.cpu, "%", 0, "atMost"), figure("memory", machine?.memory, "%", 0, "atMost"),
    figure("temperature", machine?.temperature, "°C", 0, "atMost"), figure("disk_free", machine?.disk_free, "%", 0, "atLeast"));
  $("events").querySelector("ul").replaceChildren(...(health?.events ?? []).slice(-8).reverse().map((event) =>
    make("li", {}, make("time", {}, `−${ago(event.at_s)}`), event.text?.[lang] ?? "")));
}

function render() {
  document.documentElement.lang = lang;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  $("lang-zh").classList.toggle("on", lang === "zh");
  $("lang-en").classList.toggle("on", lang === "en");
  $("line").className = client?.connected ? "good" : "bad";
  $("line-text").textContent = word(lineWord);
  const { stale, text } = staleness();
  document.body.classList.toggle("away", stale);
  $("stale").hidden = !text;
  $("stale").textContent = text ?? "";
  renderAir(stale);
  renderFigures();
  renderHand(stale);
  renderSound();
  renderLinks();
  renderLists(stale);
}

// ---- hands

for (const tongue of ["zh", "en"]) {
  $(`lang-${tongue}`).onclick = () => {
    lang = tongue;
    store("lang", tongue);
    render();
  };
}
$("start").onclick = () => send("start");
$("stop").onclick = () => {
  const armed = Date.now() < armedUntil;
  armedUntil = armed ? 0 : Date.now() + ARMED_FOR_MS;
  if (armed) send("stop");
  render();
};
for (const button of document.querySelectorAll("[data-layout]")) button.onclick = () => send("layout", { layout: button.dataset.layout });
$("next-speaker").onclick = () => send("next_speaker");
$("undo-speaker").onclick = () => send("undo_speaker");
$("record").onclick = () => send("record", { on: !view.health?.recording?.wanted });
for (const button of document.querySelectorAll("[data-line]")) button.onclick = () => send("audio", { line: button.dataset.line });
$("open-door").onclick = () => {
  $("door").hidden = !$("door").hidden;
};
$("door").onsubmit = (event) => {
  event.preventDefault();
  const door = Object.fromEntries(new FormData($("door")));
  // the password lives in this page only
  store("broker", door.broker);
  store("device", door.device);
  store("user", door.user);
  $("door").hidden = true;
  connect(door);
  render();
};

const door = { broker: query.get("broker") ?? stored("broker"), device: query.get("device") ?? stored("device"), user: query.get("user") ?? stored("user") };
for (const [key, value] of Object.entries(door)) $("door").elements[key].value = value ?? "";
if (door.broker && door.device) connect(door);
else $("door").hidden = false;
render();
setInterval(render, 1000);
setInterval(askMeters, METERS_EVERY_MS);
document.addEventListener("visibilitychange", askMeters);
