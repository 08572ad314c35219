#!/usr/bin/env python3
"""judge.py OUT: did the programme hold while everything happened to its two HDMI inputs?

Reads OUT/received.ts (camera left, slides right), OUT/plot.json (what was done to which input, and when),
OUT/box.log and the EDIDs that the inputs offered. The clock of the pictures is tied to the wall's by a change of
brightness that the plot made. Prints one line a check, measured beside wanted; exits 1 if one fails.
Needs ffmpeg, no Python package.
"""

import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

OUT = Path(sys.argv[1])
RECEIVED = OUT / "received.ts"
RATE = 15
TICKS = 90_000
GRID = 8  # squares across and down each half
ONSET = 0.2  # s: the slate after a loss
RELOCK = 2.0  # s: the picture after a return
PROOF = 3.0  # s: a source that was lost twice in ten seconds must hold so long
UNSTEADY = 10.0
SLACK = 2 / RATE  # a picture at either end
failed = False


def check(name, good, measured, wanted):
    global failed
    failed |= not good
    print(f"{'ok    ' if good else 'FAILED'} {name}: {measured} (wanted {wanted})")


def tool(*command):
    return subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout


def judge_stamps():
    packets = json.loads(tool("ffprobe", "-v", "error", "-of", "json", "-show_entries", "packet=pts",
                              "-select_streams", "v", RECEIVED))["packets"]  # fmt: skip
    at = [int(packet["pts"]) for packet in packets]
    odd = [b - a for a, b in zip(at, at[1:]) if b - a != TICKS // RATE]
    check("picture stamps that are not one step apart", not odd, f"{len(odd)} {odd[:5]}", f"0 of {len(at) - 1}")
    counters, wrong, packets = {}, 0, 0
    data = RECEIVED.read_bytes()
    for start in range(0, len(data) - 187, 188):
        pid = (data[start + 1] & 0x1F) << 8 | data[start + 2]
        packets += 1
        if data[start] != 0x47:
            wrong += 1
        # only a packet with a payload counts on
        if data[start + 3] & 0x10 and pid != 0x1FFF:
            now = data[start + 3] & 15
            wrong += pid in counters and now != (counters[pid] + 1) % 16
            counters[pid] = now
    check("continuity counters", wrong == 0, f"{wrong} missing", f"0 of {packets}")
    return len(at)


def halves(pictures):
    """Each picture's two halves as squares of brightness, row by row."""
    raw = tool("ffmpeg", "-v", "error", "-i", RECEIVED, "-vsync", "passthrough",
               "-vf", f"crop=iw:ih/2:0:ih/4,scale={2 * GRID}:{GRID}:flags=area,format=gray", "-f", "rawvideo", "-")  # fmt: skip
    size = 2 * GRID * GRID
    shown = [raw[at : at + size] for at in range(0, len(raw) - size + 1, size)]
    # undecodable ones before the first key picture are at the front
    shown = [bytes(size)] * (pictures - len(shown)) + shown
    cut = lambda picture, side: [  # noqa: E731
        [picture[y * 2 * GRID + side * GRID + x] for x in range(GRID)] for y in range(GRID)
    ]
    return [cut(p, 0) for p in shown], [cut(p, 1) for p in shown]


def falls(line):
    return all(a >= b - 4 for a, b in zip(line, line[1:])) and line[0] - line[-1] > 80


def kind(half, upright):
    """What a half shows: its own bars, the slate, or something else."""
    # a picture of another shape has black bars at its sides
    half = [row[1:-1] for row in half]
    across = [sum(column) / GRID for column in zip(*half)]
    down = [sum(row) / len(row) for row in half]
    if falls(across if upright else down) and max(down if upright else across) - min(down if upright else across) < 30:
        return "own"
    if max(max(row) for row in half) < 130 and min(down) < 35:
        return "slate"
    return "other"


def narrow(half):
    """A picture with black bars at its sides."""
    row = half[GRID // 2]
    return row[0] < row[1] - 30


def runs(kinds):
    """(kind, first, beyond last) of each run of pictures alike."""
    begins = [0, *(n for n in range(1, len(kinds)) if kinds[n] != kinds[n - 1]), len(kinds)]
    return [(kinds[a], a, b) for a, b in zip(begins, begins[1:])]


def stood_still():
    told = re.compile(r"^(\S+)Z .*too slow for the programme.*late_ms=(\d+)", re.M)
    log = re.sub(r"\x1b\[[0-9;]*m", "", (OUT / "box.log").read_text(errors="replace"))
    at = lambda stamp: datetime.fromisoformat(stamp + "+00:00").timestamp()  # noqa: E731
    return [(at(stamp), int(late) / 1000) for stamp, late in told.findall(log)]


plot = json.loads((OUT / "plot.json").read_text())
pictures = judge_stamps()
left, right = halves(pictures)
shown = {"camera": [kind(half, True) for half in left], "slides": [kind(half, False) for half in right]}
(OUT / "shown.json").write_text(json.dumps({name: runs(kinds) for name, kinds in shown.items()}))

# the clock: brightness of the left half jumps where the plot made it
means = [sum(map(sum, half)) / GRID**2 for half in left]
bright = next(entry for entry in plot if entry["what"] == "brighter")
steps = [(means[n + 1] - means[n - 1], n) for n in range(1, len(means) - 1)
         if shown["camera"][n - 1] == "own"]  # fmt: skip
jump, first = max(steps[: 40 * RATE], default=(0, 0))
check("the brightness that ties both clocks", jump > 15, f"{jump:.0f} steps at picture {first}", "over 15")
stands = stood_still()
check("standstills of the machine", len(stands) < 6, len(stands), "few: the machine was free")


def picture_at(wall):
    """Number of the picture in which what happened at this time of the wall clock is seen."""
    lost = sum(late for at, late in stands if (bright["after"] < at) and at < wall)
    return first + (wall - bright["after"] - lost) * RATE


def outages(name):
    """Losses of an input: (cause, begun before, begun after, ended before, ended after)."""
    lost, list_ = None, []
    for entry in (e for e in plot if e["input"] == name):
        if entry["what"] in ("no signal", "no lock", "out of range", "unplugged", "driver unbound"):
            lost = entry
        elif entry["what"] in ("signal", "driver bound") and lost:
            list_.append((lost["what"], lost["before"], lost["after"], entry["before"], entry["after"]))
            lost = None
    return list_


def returns_by(earlier, back):
    """When the picture must be back: at once, or after the proof of a source that is unsteady."""
    near = [end for end in earlier if back - end < UNSTEADY + 3]
    return RELOCK + (PROOF if near else 0)


for name in ("camera", "slides"):
    kinds, late, slow = shown[name], [], []
    flaps = [o for o in outages(name) if o[0] == "no signal"] if name == "slides" else []
    ends = []
    for cause, before, after, back_before, back_after in outages(name):
        if (cause, before) in [(f[0], f[1]) for f in flaps[2:]]:
            ends.append(back_after)
            continue
        flaps_on = (cause, before) in [(f[0], f[1]) for f in flaps[1:2]]
        begin, end = picture_at(before), picture_at(back_before)
        slates = [n for n in range(max(0, int(begin) - 1), min(len(kinds), int(end) + RATE)) if kinds[n] == "slate"]
        onset = (slates[0] - picture_at(after)) / RATE if slates else 99
        by = returns_by(ends, after)
        ends.append(back_after)
        back = next((n for n in range(max(int(end), slates[0] if slates else 0), len(kinds)) if kinds[n] == "own"), None)
        wait = (back - picture_at(back_after)) / RATE if back else 99
        check(f"{name}, {cause}: slate after", onset <= ONSET + SLACK, f"{onset:.2f} s", f"{ONSET} s and a picture's edges")
        limit = by + (PROOF if cause == "driver unbound" else 0)
        if flaps_on:
            continue
        check(f"{name}, {cause}: own picture after its return", wait <= limit + SLACK, f"{wait:.2f} s", f"{limit:.1f} s")
        between = kinds[slates[0] : back] if slates and back else []
        check(f"{name}, {cause}: nothing but the slate between", set(between) <= {"slate"} or between.count("other") <= 2,
              {k: between.count(k) for k in set(between)}, "slate")  # fmt: skip

# flapping: after its second loss the input stays away until it has held for three seconds
flaps = [o for o in outages("slides") if o[0] == "no signal"]
calm = picture_at(flaps[1][2]) + RATE * (ONSET + SLACK)
last = picture_at(flaps[-1][4])
kinds = shown["slides"]
seen = sum(kinds[n] != "slate" for n in range(int(calm) + 1, min(len(kinds), int(last))))
check("an input that flaps for a minute is not on air meanwhile", seen <= 1, f"{seen} pictures", "0")
back = next((n for n in range(int(last), len(kinds)) if kinds[n] == "own"), None)
wait = (back - last) / RATE if back else 99
check("and returns after three seconds of calm", PROOF - SLACK <= wait <= PROOF + RELOCK, f"{wait:.2f} s",
      f"{PROOF} to {PROOF + RELOCK} s")  # fmt: skip

# another size has another shape: 720x576 has black bars at its sides, so the new picture is told from the one
# before, which may stand meanwhile
for entry in (e for e in plot if e["what"].startswith("now ")):
    wanted = "576" in entry["what"]
    begin, end = int(picture_at(entry["before"])), int(picture_at(entry["after"])) + 8 * RATE
    seen = [n for n in range(begin, min(len(left), end)) if shown["camera"][n] == "own" and narrow(left[n]) == wanted]
    wait = (seen[0] - picture_at(entry["before"])) / RATE if seen else 99
    check(f"camera, {entry['what']}: the new picture after", 0 < wait <= RELOCK + SLACK, f"{wait:.2f} s", f"{RELOCK} s")
    between = {shown["camera"][n] for n in range(begin, seen[0])} if seen else {"nothing"}
    check(f"camera, {entry['what']}: meanwhile", between <= {"own", "slate"}, ", ".join(sorted(between)),
          "the last picture or the slate")  # fmt: skip
check("both pictures at the end", shown["camera"][-1] == shown["slides"][-1] == "own",
      f"{shown['camera'][-1]}, {shown['slides'][-1]}", "own, own")  # fmt: skip
log = re.sub(r"\x1b\[[0-9;]*m", "", (OUT / "box.log").read_text(errors="replace"))
cut = {slot for slot in ("wired", "lte3") if re.search(rf'uplink slot="{slot}".*(carrier=false|default_route=false)', log)}
check("links cut meanwhile", len(cut) == 2, ", ".join(sorted(cut)) or "none", "wired, lte3")
edids = [path.read_bytes() for path in sorted(OUT.glob("edid-*.bin"))]
ours = [edid for edid in edids if b"LIVEBOX" in edid[108:126] and len(edid) == 256 and not any(sum(edid[at : at + 128]) % 256 for at in (0, 128))]
check("inputs that offer our EDID", len(ours) >= 2, f"{len(ours)} of {len(edids)}", "2")
print(f"{'FAILED' if failed else 'passed'} virtual box, HDMI")
sys.exit(failed)
