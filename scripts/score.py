#!/usr/bin/env python3
"""Regenerates docs/score.md and the table in docs/bonding.md: the highest rate at 99.99 % in time of every scenario, beside the oracle's.

    scripts/score.py [--traces DIR] [--livebox FILE] [--jobs N] [--quick] [--only NAME …]

The rows of recorded traces are measured anew only with --traces; otherwise they stay as they are.
--quick measures only the rows that `make test` looks at. Nothing in the file depends on the machine
or the day, so its diff shows what a change does. What one program has measured is kept in target/score,
so a run that was ended goes on where it was; with --only the whole runs of these scenarios alone are
measured, and the rows that were measured before with the same program stand beside them.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import statistics
import subprocess

HERE = pathlib.Path(__file__).resolve().parent.parent
KEPT = HERE / "docs/score.md"
BRIEF = HERE / "docs/bonding.md"
SCENARIOS = HERE / "tests/scenarios"
MEASURED = HERE / "target/score"
OWN = ["const7", "const7-w5", "wiredcut", "wiredflap", "loss2", "loss5b", "hetero", "kill5", "rolling", "bloat",
       "radio6", "wired-radio6", "cells"]
RECORDED = ["recorded/lte6", "recorded/wired-lte6"]
DIALECTS = ["native", "srtla"]
LATENCIES = ["1s", "500ms"]
SEEDS = [0, 1, 2]
QUICK = ["--part", "45s..75s"]
WHOLE_HEAD = "| scenario | dialect | L | oracle Mbit/s | ours Mbit/s | ratio | of each seed |\n|---|---|---|---|---|---|---|"
QUICK_HEAD = "| scenario | dialect | L | oracle Mbit/s | ours Mbit/s | ratio |\n|---|---|---|---|---|---|"


def kept(args, row, seed, more):
    """Where the result of one run by this very program, of this very scenario, is kept."""
    played = hashlib.sha256((SCENARIOS / f"{row[0]}.toml").read_bytes()).hexdigest()[:8]
    name = "_".join([*row, str(seed), *more, played]).replace("/", "-")
    return MEASURED / args.program / f"{name}.json"


def limit(args, scenario, dialect, latency, seed, more):
    file = kept(args, (scenario, dialect, latency), seed, more)
    if file.exists():
        return json.loads(file.read_text())
    command = [args.livebox, "sim", "--limit", "--json", "--dialect", dialect, "--latency", latency, "--seed", str(seed),
               *more, *(["--traces", args.traces] if scenario in RECORDED else []), str(SCENARIOS / f"{scenario}.toml")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.with_suffix(".part").write_text(done.stdout)
    file.with_suffix(".part").rename(file)
    return json.loads(done.stdout)


def rows(args, pool, scenarios, seeds, more=()):
    every = [(s, d, l) for s in scenarios for d in DIALECTS for l in LATENCIES]
    wanted = lambda row: row[1] in args.dialects and (more or not args.only or row[0].split("/")[-1] in args.only)
    asked = [row for row in every if wanted(row) or all(kept(args, row, seed, more).exists() for seed in seeds)]
    runs = {row: [pool.submit(limit, args, *row, seed, more) for seed in seeds] for row in asked}
    for (scenario, dialect, latency), futures in runs.items():
        found = [future.result() for future in futures]
        mean = lambda key: statistics.mean(one[key] for one in found)
        row = f"| {scenario.split('/')[-1]} | {dialect} | {latency} | {mean('oracle_mbit'):.2f} | {mean('rate_mbit'):.2f} | {mean('ratio'):.4f} |"
        each = " ".join(f"{one['ratio']:.4f}" for one in found)
        yield row + (f" {each} |" if len(seeds) > 1 else "")


def part(text, name):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    return text.split(begin)[1].split(end)[0] if begin in text else ""


def brief(parts):
    """The table of docs/bonding.md: a row for each scenario, a column for each dialect and L."""
    found, oracles = {}, {}
    # a row of whole runs takes the place of its part
    for line in (parts["quick"] + parts["whole"] + parts["recorded"]).splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) > 5 and cells[1] in DIALECTS:
            found[cells[0], cells[1], cells[2]] = cells[5]
            oracles[cells[0]] = cells[3] if cells[2] == "1s" else oracles.get(cells[0])
    columns = [(d, l) for d in DIALECTS for l in LATENCIES]
    lines = ["| scenario | oracle | " + " | ".join(f"{d}, {l}" for d, l in columns) + " |", "|---|---|" + "---|" * len(columns)]
    lines += [f"| {s} | {oracles[s]} | " + " | ".join(found.get((s, *c), "") for c in columns) + " |" for s in oracles]
    begin, end = "<!-- score -->\n", "<!-- end of score -->"
    text = BRIEF.read_text()
    head, rest = text.split(begin)
    BRIEF.write_text(head + begin + "\n".join(lines) + "\n" + end + rest.split(end)[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--traces")
    parser.add_argument("--livebox", default=str(HERE / "target/release/livebox"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dialects", nargs="+", choices=DIALECTS, default=DIALECTS)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="whole runs of these scenarios alone")
    args = parser.parse_args()
    args.program = hashlib.sha256(pathlib.Path(args.livebox).read_bytes()).hexdigest()[:16]
    text = KEPT.read_text() if KEPT.exists() else ""
    parts = {name: part(text, name) for name in ("whole", "recorded", "quick")}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        table = lambda head, found: head + "\n" + "".join(f"{row}\n" for row in found)
        parts["quick"] = table(QUICK_HEAD, rows(args, pool, OWN, [0], QUICK))
        if not args.quick:
            parts["whole"] = table(WHOLE_HEAD, rows(args, pool, OWN, SEEDS))
            if args.traces:
                parts["recorded"] = table(WHOLE_HEAD, rows(args, pool, RECORDED, SEEDS))
    brief(parts)
    marked = {name: f"<!-- {name} -->\n{body}<!-- end of {name} -->" for name, body in parts.items()}
    KEPT.write_text(f"""# The score

Made by `make score`; do not edit. Each row: the highest constant rate at which 99.99 % of the payloads come within L, the oracle's rate (`docs/sim.md`), and one by the other. Nothing here depends on the machine, so the diff of this file is what a change does.

## Whole runs: 110 s scored, mean of seeds {", ".join(map(str, SEEDS))}

Without rows where the engine has changed since and `make score` was not run.

{marked["whole"]}

## Recorded traces

Recordings are not part of the project; these rows are measured anew only by `make score TRACES=DIR` and otherwise stay as they are.

{marked["recorded"]}

## Parts of 30 s, seed 0

From second 45 to second 75 of each scenario, 20 s scored. `make test` fails if a row holds neither at what stands here nor at 1, 2, 3 or 4 % of the oracle below it.

{marked["quick"]}
""")


if __name__ == "__main__":
    main()
