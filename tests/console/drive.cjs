// Drives the console page against a running box, as a hand would:
//   node drive.cjs --page console/index.html --broker ws://127.0.0.1:9001 --device hall-1 [--shots DIR] [--harm]
// With --harm somebody must do what it says: at "harm the box" raise an alarm and take the wired link
// down, at "lose the box" let it vanish; it waits until the page tells so.
"use strict";

const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");

const given = (name) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};
const PATIENCE = 60_000;
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

async function main() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: FLAGS });
  try {
    await drive(await browser.newPage({ viewport: { width: 1600, height: 1000 } }));
  } finally {
    await browser.close();
  }
}

async function drive(page) {
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`${error}`));
  page.setDefaultTimeout(PATIENCE);
  let shot = 0;
  const saw = async (what) => {
    console.log(`saw ${what}`);
    if (given("shots")) await page.screenshot({ path: path.join(given("shots"), `${++shot}-${what.replaceAll(" ", "-")}.png`), fullPage: true });
  };
  const shows = (selector, text) => page.waitForFunction(([s, t]) => document.querySelector(s)?.textContent.includes(t), [selector, text]);
  const answered = (...results) => page.waitForFunction((r) => r.includes(document.querySelector("#answer").dataset.result), results);

  // a real press where the button is; the wait for a still picture is left out, since a machine
  // under load draws too seldom for it
  const press = async (button) => {
    await page.waitForSelector(`${button}:enabled`);
    await page.click(button, { force: true });
  };

  const url = pathToFileURL(path.resolve(given("page")));
  url.search = new URLSearchParams({ broker: given("broker"), device: given("device"), lang: "en" });
  await page.goto(url.href);

  await shows("#phase", "STANDBY");
  await page.waitForFunction(() => document.querySelectorAll("#links [data-slot]").length === 7);
  await page.waitForSelector("#line.good");
  // what the broker kept is shown, but never as the present: commands wait for fresh figures
  await page.waitForSelector("#start:enabled");
  await page.waitForFunction(() => /\d/.test(document.querySelector('[data-figure="cpu"] b').textContent));
  await saw("standby");

  await press("#start");
  await answered("accepted", "done");
  await shows("#phase", "ON AIR");
  await page.waitForFunction(() => /\d/.test(document.querySelector('[data-figure="bitrate"] b').textContent)
    && document.querySelector('[data-figure="bitrate"] .wanted').textContent.includes("wanted"));
  await saw("on air");

  await press('[data-layout="slides"]');
  await page.waitForSelector('[data-layout="slides"].on');
  await answered("done");
  await press('[data-line="b"]');
  await page.waitForSelector('[data-line="b"].on');
  await answered("done");
  await saw("slides and line b");

  if (!process.argv.includes("--harm")) {
    // the real box: meters come ten times a second by its own clock, of lines that carry a tone
    const steps = await page.evaluate(() => new Promise((done) => {
      const at = [];
      const timer = setInterval(() => {
        const now = view.meters?.at_s;
        if (now !== undefined && now !== at.at(-1)) at.push(now);
        if (at.length < 30) return;
        clearInterval(timer);
        done(at.slice(1).map((s, n) => s - at[n]).sort((a, b) => a - b));
      }, 20);
    }));
    if (steps[0] <= 0 || steps[14] > 0.16) throw new Error(`meters are ${steps[14]} s apart`);
    await page.waitForFunction(() => ["a", "b", "programme"].every((name) =>
      Number(document.querySelector(`[data-sound="${name}"] [data-level="true_peak"]`)?.firstChild.textContent) > -40));
    await shows('[data-sound="b"] .facts', "dual mono");
    await page.waitForFunction(() => /this show: integrated −?-?\d.*LUFS.*true peak/.test(document.querySelector('[data-sound="programme"] .show')?.textContent ?? ""));
    await saw("meters");
  }

  if (process.argv.includes("--harm")) {
    console.log("harm the box");
    await page.waitForSelector('[data-sound="a"].dead');
    await page.waitForSelector('[data-sound="b"].on.warn [data-fault="hum"]');
    await shows('[data-sound="b"] [data-fault="hum"]', "isolator");
    await shows('[data-sound="b"] .facts', "left lead only · clock +12.5 ppm · gain -3.0 dB · delay 80 ms");
    await shows('[data-sound="b"] [data-level="true_peak"]', "-0.4");
    await page.waitForSelector('[data-sound="b"] [data-level="true_peak"].bad');
    await shows('[data-sound="b"] .show', "this show: integrated -21.5 LUFS · true peak -0.4 dBTP · 1 fault");
    await shows("#sound > p", "line B comes 7.1 ms after line A; aligned");
    await page.waitForSelector("#air.live.alert");
    await page.waitForSelector('[data-alarm="uplink_down"]');
    await shows("#alarms", "check the cable");
    await page.waitForSelector('[data-slot="wired"].bad');
    await page.waitForSelector('[data-stream="0"] [data-destination="studio"].bad');
    await shows('[data-stream="0"]', "picture STILL");
    await saw("harmed");
  }

  // the button is off while on air; another console's start gets the box's own refusal
  await page.evaluate(() => send("start"));
  await answered("refused");
  await shows("#answer", "already on air");
  await press("#lang-zh");
  await shows("#phase", "直播中");
  await shows("#answer", "已在直播");
  await shows("#sound", "节目");
  if (process.argv.includes("--harm")) await shows('[data-sound="b"] [data-fault="hum"]', "隔离");
  await saw("refusal in Chinese");

  await press("#stop");
  await page.waitForSelector("#stop.armed");
  await press("#stop");
  await shows("#phase", "待机");
  await saw("stopped");

  if (process.argv.includes("--harm")) {
    console.log("lose the box");
    await shows("#phase", "设备失联");
    await page.waitForSelector("body.away");
    if (!(await page.locator("#start").isDisabled())) throw new Error("a lost box cannot be started");
    await saw("lost");
  }
  if (wrong.length) throw new Error(`errors in the page: ${wrong.join("; ")}`);
  console.log("all seen");
}

main().catch((error) => {
  console.error(`${error.stack ?? error}`);
  process.exit(1);
});
