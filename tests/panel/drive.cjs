// Presses the keys of the panel's live page against a running box, as a hand would:
//   node drive.cjs --page http://127.0.0.1:8620/ --livebox target/debug/livebox --socket livebox.sock [--shots DIR]
// Each step waits until lamps, picture and the box itself say the same.
"use strict";

const { execFileSync } = require("node:child_process");
const path = require("node:path");
const { chromium } = require("playwright-core");

const given = (name) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function main() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: FLAGS });
  try {
    await drive(await browser.newPage({ viewport: { width: 1200, height: 760 } }));
  } finally {
    await browser.close();
  }
}

async function drive(page) {
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`${error}`));
  page.setDefaultTimeout(60_000);
  let shot = 0;
  const saw = async (what) => {
    console.log(`saw ${what}`);
    if (given("shots")) await page.screenshot({ path: path.join(given("shots"), `${++shot}-${what.replaceAll(" ", "-")}.png`), fullPage: true });
  };
  const status = () => JSON.parse(execFileSync(given("livebox"), ["status", "--json", "--socket", given("socket")], { encoding: "utf8" }));
  const told = async (what, says) => {
    for (const until = Date.now() + 60_000; Date.now() < until; await pause(200)) if (says(status())) return;
    throw new Error(`the box never said: ${what}`);
  };
  // a real press where the key is, until something is so; a machine under load takes its time
  const hold = async (key, until) => {
    await page.locator(`#${key}`).scrollIntoViewIfNeeded();
    const at = await page.locator(`#${key}`).boundingBox();
    await page.mouse.move(at.x + at.width / 2, at.y + at.height / 2);
    await page.mouse.down();
    await until();
    await page.mouse.up();
  };
  const press = (key) => hold(key, () => pause(120));
  const lit = (key) => page.waitForSelector(`#${key}.lit`);
  const dark = (key) => page.waitForFunction((k) => !document.getElementById(k).classList.contains("lit"), key);
  const lamp = (name, on) => page.waitForFunction(([n, o]) => [...document.querySelectorAll("#others b")]
    .some((b) => b.dataset.lamp === n && b.classList.contains("lit") === o), [name, on]);
  const picture = () => page.evaluate(() => document.getElementById("glass").src);

  // the box needs a moment before it serves anything
  for (let tries = 0; ; tries++) {
    const served = await page.goto(given("page")).then(() => true, (error) => { if (tries > 150) throw error; });
    if (served) break;
    await pause(200);
  }
  await page.waitForFunction(() => document.getElementById("glass").naturalWidth === 640);
  await told("ready", (s) => s.phase === "standby");
  await press("ack");
  await dark("on_air");
  await saw("ready");

  await hold("on_air", () => told("started", (s) => s.phase !== "standby"));
  await told("live", (s) => s.phase === "live");
  await lamp("tally_out", true);
  await press("ack");
  await lit("on_air");
  await saw("on air");

  await press("slate");
  await lit("slate");
  await told("slate", (s) => s.programme.slate_wanted);
  await saw("slate");
  await press("slate");
  await dark("slate");
  await told("picture", (s) => !s.programme.slate_wanted);

  await press("next");
  await lit("next");
  await told("the next speaker", (s) => s.agenda.undo_until !== null);
  await saw("next speaker");
  await press("ack");

  // once says what will happen, twice does it; and the same way back
  const carries = (name) => (s) => s.outputs.some((o) => o.name === name && o.active);
  await told("both encodes are open", (s) => ["backup", "programme"].every((name) => s.outputs.some((o) => o.name === name && o.state === "open")));
  for (const [from, to] of [["main", "backup"], ["backup", "main"]]) {
    await press("backup");
    await pause(1000);
    await told("armed, nothing done", carries(from));
    await saw(`${to} armed`);
    await press("backup");
    await told(`${to} on air`, carries(to));
    await (to === "backup" ? lit : dark)("backup");
    await pause(6000);
  }
  await told("nothing taken back: an easy picture is no shortage", (s) => s.reductions.length === 0);
  await saw("backup and back");

  const home = await picture();
  await press("right");
  await page.waitForFunction((h) => document.getElementById("glass").src !== h, home);
  await press("right");
  await pause(500);
  await saw("audio");

  // locked since it is on air: ON AIR alone, however long, stops nothing
  await hold("on_air", () => pause(4000));
  await told("live still", (s) => s.phase === "live");
  await saw("locked");
  const stopped = () => status().phase !== "live";
  for (let tries = 0; tries < 5 && !stopped(); tries++) {
    await hold("knob", () => pause(1500));
    await hold("on_air", async () => { for (const until = Date.now() + 6000; Date.now() < until && !stopped();) await pause(200); });
  }
  await told("standing by", (s) => s.phase === "standby");
  await dark("on_air");
  await saw("off air");
  if (wrong.length) throw new Error(`errors in the page: ${wrong.join("; ")}`);
  console.log("all seen");
}

main().catch((error) => {
  console.error(`${error.stack ?? error}`);
  process.exit(1);
});
