#!/usr/bin/env python3
"""The demo's progress line, and its table at the end.

  demo-report.py progress STATUS.jsonl     one line from the latest status of the box
  demo-report.py table DIR                 what the studio received, from DIR's judge.json, status.jsonl, links.log
"""
import json
import sys
from pathlib import Path


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
    marks = {"up": "█", "probing": "▒", "suspect": "✗", "registering": "·", "down": "_"}
    links = " ".join(f"{l['slot']}{marks.get(l['phase'], '?')}{l['rate_mbit']:.1f}" for l in status["links"])
    programme = status["programme"]
    rate = programme["bitrate"]["measured"] or 0
    alarms = ", ".join(f"{a['kind']} {a['subject']}".strip() for a in status["alarms"]) or "none"
    picture = "SLATE" if programme["slate"] else "picture"
    print(f"{status['at'] / 1e6:5.1f} s  {status['phase']:8}  {picture:7}  {rate:4.1f} Mbit/s  {links}  alarms: {alarms}", flush=True)


def failovers(history):
    """When a link that carried the programme was found dead, and when it carried again, in box time."""
    seen, events = {}, []
    for status in history:
        for link in status["links"]:
            before = seen.get(link["slot"])
            if before == "up" and link["phase"] in ("suspect", "down"):
                events.append((status["at"] / 1e6, link["slot"], "off"))
            if before not in (None, "up") and link["phase"] == "up":
                events.append((status["at"] / 1e6, link["slot"], "back"))
            seen[link["slot"]] = link["phase"]
    return events


def table(folder):
    folder = Path(folder)
    judged = json.loads((folder / "judge.json").read_text())
    history = list(statuses(folder / "status.jsonl"))
    print(json.dumps(judged, indent=1))
    for event in failovers(history):
        print(event)
    total = sum(l["sent_bytes"] for l in history[-1]["links"]) or 1
    for link in history[-1]["links"]:
        print(f"  {link['slot']:8} {100 * link['sent_bytes'] / total:5.1f} %")


if __name__ == "__main__":
    {"progress": progress, "table": table}[sys.argv[1]](sys.argv[2])
