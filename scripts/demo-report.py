#!/usr/bin/env python3
"""The demo's progress line, and its table at the end.

  demo-report.py progress STATUS.jsonl   one line from the latest status of the box
  demo-report.py table DIR               what the studio received: DIR's judge.json, status.jsonl, links.log;
                                         exits 1 and says why if something scripted was not seen
"""
import json
import re
import sys
from datetime import datetime, timezone
from pathlib import Path

RATE = 25
# what scripts/demo-links.toml does, and the least of a minute that must arrive
SCRIPTED = [("wired", True), ("wired", False), *((link, dead) for link in ("lte1", "lte2") for dead in (True, False))]
LEAST = 1200
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
    wrong = []

    def demand(good, what):
        if not good:
            wrong.append(what)

    demand(judged["missing"] == 0, f"{judged['missing']} pictures are missing while their camera lived")
    demand(judged["pts_irregular"] == 0, f"{judged['pts_irregular']} PTS steps are not one picture")
    demand(judged["ts_discontinuities"] == 0, f"{judged['ts_discontinuities']} packets of the stream are missing")
    demand(judged["seen"] >= LEAST, f"only {judged['seen']} pictures of the camera arrived, wanted {LEAST}")
    gap = max(judged["sound"]["longest_gap_ms"], judged["sound"]["pts_gap_ms"])
    demand(judged["sound"]["samples"] > 0 and gap < 1, f"the sound has a hole of {gap:.1f} ms")
    slates = [slate for slate in judged["slates"] if slate["before"] is not None]
    demand(len(slates) == 1, f"{len(slates)} slates after the start, wanted the one of the killed camera")
    for slate in slates:
        rows.append((f"camera gone at {slate['at_s']:.1f} s: slate on air within", f"{slate['onset_ms']:.0f} ms"))
        rows.append(("  slate stayed for", f"{slate['ms'] / 1000:.2f} s"))
        demand(slate["onset_ms"] <= 200, f"the slate came after {slate['onset_ms']:.0f} ms, wanted 200 at most")
        if slate["return_ms"] is not None:
            rows.append(("  camera back on air within", f"{slate['return_ms']:.0f} ms"))
    live = [status["at"] / 1e6 for status in history if status["phase"] == "live"]
    last = (judged["last"] or 0) / RATE
    demand(live and last > live[-1] - 2, f"the last picture is of {last:.1f} s, the box was on air until {max(live, default=0):.1f} s")
    seen = []
    for at, slot, dead in faults(folder / "links.log"):
        took = reaction(history, slot, at, dead)
        seen += [(slot, dead)] if took is not None else []
        what = f"{slot} {'died: off the programme' if dead else 'came back: registered again'} within"
        rows.append((what, "not seen" if took is None else f"{took:.0f} ms"))
    for slot, dead in SCRIPTED:
        demand((slot, dead) in seen, f"{slot} {'dying' if dead else 'coming back'} was not seen")
    total = sum(l["sent_bytes"] for l in history[-1]["links"]) or 1
    for link in history[-1]["links"]:
        rows.append((f"share of {link['slot']}", f"{100 * link['sent_bytes'] / total:.1f} %"))
    for name, value in rows:
        print(f"  {name:<52} {value:>12}")
    for what in wrong:
        print(f"demo: {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit({"progress": progress, "table": table}[sys.argv[1]](sys.argv[2]))
