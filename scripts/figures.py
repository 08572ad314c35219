#!/usr/bin/env python3
"""Measures every figure that the bonding is held to and prints must | aim | measured.

    scripts/figures.py [--traces DIR] [--livebox FILE] [--jobs N] [--seeds N] [--part NAME …]

The rates come from docs/score.md, which `make score` makes; what a core carries from `make bench`; the
rest is played here. Rows of recorded traces need --traces and are left out otherwise.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent.parent
SCENARIOS = HERE / "tests/scenarios"
STEADY = ["const7", "const7-w5", "wiredcut", "loss2", "loss5b", "hetero", "kill5"]
MOVING = ["rolling", "wiredflap"]
RECORDED = ["recorded/lte6", "recorded/wired-lte6"]
RADIO = ["bloat", *RECORDED]
MADE_UP = ["radio6", "wired-radio6", "cells"]
DEAD = {1: 200, 2: 280, 3: 280, 4: 350, 5: 500}


class Sim:
    def __init__(self, args, pool):
        self.args, self.pool = args, pool

    def has(self, scenario):
        return self.args.traces or scenario not in RECORDED

    def play(self, scenario, seed, *more):
        command = [self.args.livebox, "sim", "--json", "--seed", str(seed), *more]
        command += ["--traces", self.args.traces] if scenario in RECORDED else []
        done = subprocess.run([*command, str(SCENARIOS / f"{scenario}.toml")], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} {scenario}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def each(self, scenarios, *more):
        """(scenario, result) of every scenario that can be played, every seed."""
        asked = [(s, seed) for s in scenarios if self.has(s) for seed in range(self.args.seeds)]
        return list(zip([s for s, _ in asked], self.pool.map(lambda one: self.play(*one, *more), asked)))


def row(what, must, aim, measured, good, why=""):
    print(f"| {what} | {must} | {aim} | {measured} | {'' if good is None else 'yes' if good else '**no**'} | {why} |", flush=True)


def kept():
    """(scenario, dialect, L) to the ratios of the seeds, from docs/score.md."""
    text = (HERE / "docs/score.md").read_text().split("<!-- quick -->")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if re.match(r"\| [a-z]", line)]
    return {(c[0], c[1], c[2]): [float(x) for x in c[6].split()] for c in cells if len(c) == 7 and c[0] != "scenario"}


def rates(sim):
    ratios = kept()

    def group(title, dialect, latency, scenarios, must, aim, mean=False):
        for scenario in scenarios:
            found = ratios.get((scenario.split("/")[-1], dialect, latency))
            if not found:
                continue
            value = sum(found) / len(found) if mean else min(found)
            said = f"{value:.4f}" + (" mean" if mean else " least of the seeds")
            row(f"{dialect} {scenario.split('/')[-1]}, L {latency}", must or "reported", aim or "", said,
                None if must is None else round(value, 4) >= must)

    for latency, steady, moving, radio in (("1s", (0.955, 0.97), (0.945, 0.965), (0.89, 0.94)),
                                           ("500ms", (0.95, 0.965), (0.90, 0.94), (0.78, 0.86))):
        group("", "native", latency, STEADY, *steady)
        group("", "native", latency, MOVING, *moving)
        group("", "native", latency, RADIO, *radio, mean=True)
        group("", "native", latency, MADE_UP, None, None, mean=True)
    for latency, steady, radio, loss in (("1s", (0.92, 0.95), (0.80, 0.87), (0.82, 0.88)),
                                         ("500ms", (0.86, 0.92), (None, None), (None, None))):
        group("", "srtla", latency, [s for s in STEADY if not s.startswith("loss")] + MOVING, *steady)
        group("", "srtla", latency, RADIO, *radio, mean=True)
        group("", "srtla", latency, ["loss2"], *loss)


def half(sim):
    for latency in ("500ms", "1s"):
        found = sim.each([*STEADY, *MOVING, *RADIO, *MADE_UP], "--dialect", "native", "--load", "0.5", "--latency", latency)
        bad = {s: 0 for s, _ in found}
        for scenario, one in found:
            bad[scenario] += one["late"] + one["lost"]
        worst = ", ".join(f"{s} {n}" for s, n in bad.items() if n) or "none"
        row(f"half the oracle's rate, L {latency}: late or lost", 0, 0, sum(bad.values()), not any(bad.values()), worst)
        radio = [one["p99_ms"] for s, one in found if s in RECORDED + MADE_UP]
        row(f"half the oracle's rate, L {latency}: p99 on LTE, ms", 250, "", f"{max(radio):.0f} worst", max(radio) <= 250)
        most = max(one["redundancy"] for _, one in found)
        row(f"half the oracle's rate, L {latency}: redundancy, most", "15 %", "", f"{most:.1%}", most <= 0.15)


def dead(sim):
    for k in range(1, 7):
        latency, must = ("500ms", DEAD[k]) if k < 6 else ("2s", None)
        for told in ([], ["--told"]):
            found = [one for _, one in sim.each([f"dead{k}"], "--dialect", "native", "--rate", "6", "--latency", latency, *told)]
            bad, worst = sum(one["late"] + one["lost"] for one in found), max(one["max_ms"] for one in found)
            most = must if not told else (100 if k < 6 else None)
            row(f"dead{k} at 6 Mbit/s, L {latency}, {'with a carrier event' if told else 'silent'}",
                f"0 bad, {most} ms" if most else "0 bad", "", f"{bad} bad, {worst:.0f} ms", bad == 0 and (most is None or worst <= most))


def costs(sim):
    native = ["--dialect", "native"]
    for what, scenarios, must, more in (("wired", ["const7"], 0.02, ["--rate", "8"]),
                                        ("LTE", [*RECORDED, *MADE_UP], 0.03, ["--load", "0.7"])):
        found = sim.each(scenarios, *native, *more)
        worst = max(found, key=lambda one: one[1]["redundancy"])
        row(f"redundancy beyond headers, {what}", f"{must:.0%}", "", f"{worst[1]['redundancy']:.2%} ({worst[0]})", worst[1]["redundancy"] <= must)
    found = sim.each([*STEADY, *MOVING, *RADIO, *MADE_UP], *native, "--load", "0.8")
    worst = max(found, key=lambda one: one[1]["redundancy"])
    row("redundancy at 80 % of the oracle, everywhere", "15 %", "", f"{worst[1]['redundancy']:.2%} ({worst[0]})", worst[1]["redundancy"] <= 0.15)
    worst = max(found, key=lambda one: one[1]["queue_p95_ms"])
    row("own standing queue p95 at 80 % of the oracle, worst link, ms", 100, "", f"{worst[1]['queue_p95_ms']:.0f} ({worst[0]})", worst[1]["queue_p95_ms"] <= 100)
    share = max(one["metered_share_both"] for _, one in sim.each(["const7"], *native, "--rate", "8"))
    row("4G's share of the bytes of both directions, 8 Mbit/s, wired healthy", "2 %", "", f"{share:.2%}", share <= 0.02)


def short(sim):
    scenario = "recorded/lte6" if sim.args.traces else "radio6"
    found = [one for _, one in sim.each([scenario], "--dialect", "native", "--rate", "6", "--latency", "200ms")]
    bad = sum(one["late"] + one["lost"] for one in found) / sum(one["delivered"] + one["lost"] for one in found)
    row(f"L = 200 ms, 6 Mbit/s on {scenario}: bad", "0.03 %", "0.02 %", f"{bad:.4%}", bad <= 0.0003)


def encoder(sim):
    found = sim.each([*STEADY, *MOVING, *RADIO, *MADE_UP], "--dialect", "native", "--follow")
    bad = {s: 0 for s, _ in found}
    for scenario, one in found:
        bad[scenario] += one["bad"]
    row("encoder follows, L 1s: bad", 0, "", sum(bad.values()), not any(bad.values()), ", ".join(f"{s} {n}" for s, n in bad.items() if n))
    worst = min(found, key=lambda one: one[1]["share"])
    row("encoder follows: mean of what is possible", "75 %", "", f"{worst[1]['share']:.1%} ({worst[0]})", worst[1]["share"] >= 0.75)
    reactions = [(one["reaction_ms"], s) for s, one in found if one["reaction_ms"] is not None]
    if reactions:
        row("encoder follows: reaction to an outage, ms", 200, "", "{:.0f} ({})".format(*max(reactions)), max(reactions)[0] <= 200)


PARTS = {"rates": rates, "half": half, "dead": dead, "costs": costs, "short": short, "encoder": encoder}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--traces")
    parser.add_argument("--livebox", default=str(HERE / "target/release/livebox"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    print("| figure | must | aim | measured | holds | where not |\n|---|---|---|---|---|---|")
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for part in args.part:
            PARTS[part](Sim(args, pool))


if __name__ == "__main__":
    main()
