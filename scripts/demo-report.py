#!/usr/bin/env python3
"""The demo's progress line, and its table at the end.

  demo-report.py progress STATUS.jsonl   one line from the latest status of the box
  demo-report.py table DIR               what the studio received: DIR's judge.json, status.jsonl, links.log
"""
import json
import re
import sys
from datetime import datetime, timezone
from pathlib import Path

MARKS = {"up": "█", "probing": "▒", "suspect": "✗", "registering": "·", "down": "_"}


def statuses(path):
    """Every whole status line; the last one may be cut in the middle of a write."""
    for line in Path(path).read_text(errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def progress(path):
    status = None
    for status in statuses(path):
        pass
    if status is None:
        return
    programme = status["programme"]
    links = " ".join(f"{l['slot']}{MARKS.get(l['phase'], '?')}{l['rate_mbit']:.1f}" for l in status["links"])
    alarms = ", ".join(f"{a['kind']} {a['subject']}".strip() for a in status["alarms"]) or "none"
    picture = "SLATE" if programme["slate"] else "camera"
    rate = programme["bitrate"]["measured"] or 0
    print(f"{status['at'] / 1e6:5.1f} s  {status['phase']:8} {picture:6} {rate:4.1f} Mbit/s  {links}  alarms: {alarms}", flush=True)


def faults(log):
    """What the emulator did to the links: wall time in ms, link, True if it died."""
    told = re.compile(r"^(\S+Z)\s.*netem: (\S+) (falls silent|is back)")
    for line in Path(log).read_text(errors="replace").splitlines():
        if found := told.match(line):
            when = datetime.fromisoformat(found[1].replace("Z", "+00:00")).astimezone(timezone.utc)
            yield when.timestamp() * 1000, found[2], found[3] == "falls silent"


def reaction(history, slot, from_ms, dead):
    """The first status after `from_ms` in which the link is off the programme (or carries again)."""
    for status in history:
        if status["wall"] is None or status["wall"] < from_ms:
            continue
        phase = next((l["phase"] for l in status["links"] if l["slot"] == slot), None)
        if (phase in ("suspect", "registering", "down")) == dead and (dead or phase in ("probing", "up")):
            return status["wall"] - from_ms
    return None


def table(folder):
    folder = Path(folder)
    judged = json.loads((folder / "judge.json").read_text())
    history = list(statuses(folder / "status.jsonl"))
    rows = [
        ("pictures received", judged["pictures"]),
        ("pictures missing while their camera lived", judged["missing"]),
        ("pictures doubled", judged["doubled"]),
        ("longest picture gap", f"{judged['longest_picture_gap_ms']:.1f} ms"),
        ("longest sound gap", f"{judged['sound']['longest_gap_ms']:.1f} ms"),
        ("PTS steps that are not one picture", judged["pts_irregular"]),
        ("TS continuity errors", judged["ts_discontinuities"]),
    ]
    for slate in judged["slates"]:
        if slate["before"] is not None:
            rows.append((f"camera gone at {slate['at_s']:.1f} s: slate on air within", f"{slate['onset_ms']:.0f} ms"))
            rows.append(("  slate stayed for", f"{slate['ms'] / 1000:.2f} s"))
    for at, slot, dead in faults(folder / "links.log"):
        took = reaction(history, slot, at, dead)
        what = f"{slot} {'died: off the programme' if dead else 'came back: registered again'} within"
        rows.append((what, "not seen" if took is None else f"{took:.0f} ms"))
    total = sum(l["sent_bytes"] for l in history[-1]["links"]) or 1
    for link in history[-1]["links"]:
        rows.append((f"share of {link['slot']}", f"{100 * link['sent_bytes'] / total:.1f} %"))
    for name, value in rows:
        print(f"  {name:<52} {value:>12}")


if __name__ == "__main__":
    {"progress": progress, "table": table}[sys.argv[1]](sys.argv[2])
