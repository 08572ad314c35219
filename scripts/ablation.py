#!/usr/bin/env python3
"""What each element of the engine is worth: prints the table of docs/bonding.md.

    scripts/ablation.py [--traces DIR] [--livebox FILE] [--jobs N]

Pictures of varying size, L = 0.5 s, at a load that the whole engine just bears; each cell is the bad
payloads of the scored 110 s, seed 0, and the redundancy where it moves. A dash: no different.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess

SCENARIOS = pathlib.Path(__file__).resolve().parent.parent / "tests/scenarios"
LOADS = {"radio6": 0.75, "cells": 0.75, "rolling": 0.85, "kill5": 0.8, "wiredcut": 0.9, "loss2": 0.9, "bloat": 0.75, "hetero": 0.9}
RECORDED = {"recorded/lte6": 0.75}
ELEMENTS = ["window", "earliest", "rescue", "budget", "silence", "same-link-loss", "probing", "metered", "doubling", "peak",
            "restart", "just-in-time", "feedback", "parity"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--traces")
    parser.add_argument("--livebox", default="target/release/livebox")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--dialect", default="native")
    args = parser.parse_args()
    loads = {**LOADS, **(RECORDED if args.traces else {})}

    def play(scenario, element, latency="500ms"):
        command = [args.livebox, "sim", "--json", "--vbr", "--dialect", args.dialect, "--latency", latency, "--load", str(loads[scenario])]
        command += ["--without", element] if element else []
        command += ["--traces", args.traces] if args.traces else []
        done = subprocess.run([*command, str(SCENARIOS / f"{scenario}.toml")], capture_output=True, text=True, check=True)
        one = json.loads(done.stdout)
        return one["late"] + one["lost"], one["p99_ms"], one["metered_share"]

    print("| variant | " + " | ".join(f"{s.split('/')[-1]} {loads[s]:.0%}" for s in loads) + " |")
    print("|---|" + "---|" * len(loads))
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        rows = {e: [pool.submit(play, s, e) for s in loads] for e in [None, *ELEMENTS]}
        whole = None
        for element, futures in rows.items():
            found = [f.result() for f in futures]
            whole = whole or found
            cells = ["—" if element and one == base else f"{one[0]} / {one[1]:.0f}" for one, base in zip(found, whole)]
            print(f"| {'without ' + element if element else 'whole'} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
