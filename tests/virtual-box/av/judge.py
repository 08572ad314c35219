#!/usr/bin/env python3
"""judge.py OUT: how far apart are picture and sound in what the far end stored?

OUT/received.ts holds flashes and beeps that were made at the same moments; OUT/claps.txt tells how late each flash
really was. Each flash lies between the last dark picture and the first bright one. The flashes of a minute come at
other places of a picture each, so what all of them allow is narrow, and its middle is the answer of that minute.
Prints one line a check, measured beside wanted; exits 1 if one fails. Needs ffmpeg, no Python package.
"""

import array
import json
import statistics
import subprocess
import sys
from pathlib import Path

OUT = Path(sys.argv[1])
RECEIVED = OUT / "received.ts"
SOUND = 48000
MOST = 20.0  # ms, either way
failed = False


def check(name, good, measured, wanted):
    global failed
    failed |= not good
    print(f"{'ok    ' if good else 'FAILED'} {name}: {measured} (wanted {wanted})")


def tool(*command):
    return subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout


def frames(kind):
    """Time stamps of decoded pictures or blocks of sound, seconds."""
    said = tool("ffprobe", "-v", "error", "-of", "csv=p=0", "-select_streams", kind, "-show_entries", "frame=pts_time", RECEIVED)
    return [float(line.split(",")[0]) for line in said.decode().splitlines() if line and line[0].isdigit()]


def flashes():
    """(latest dark, first bright) of each flash."""
    stamps = frames("v")
    raw = tool("ffmpeg", "-v", "error", "-i", RECEIVED, "-fps_mode", "passthrough", "-vf", "scale=1:1:flags=area,format=gray",
               "-f", "rawvideo", "-")  # fmt: skip
    stamps = stamps[-len(raw):]
    low, high = min(raw), max(raw)
    middle = (low + high) / 2
    check("the flash is seen", high - low > 60, f"{low} to {high}", "60 apart")
    return [(stamps[n - 1], stamps[n]) for n in range(1, len(raw)) if raw[n - 1] < middle <= raw[n]]


def beeps():
    """When each begins."""
    first = frames("a")[0]
    raw = array.array("h", tool("ffmpeg", "-v", "error", "-i", RECEIVED, "-vn", "-ac", "1", "-ar", str(SOUND), "-f", "s16le", "-"))
    found, quiet = [], SOUND
    loud = max(raw[: SOUND * 20]) / 4
    for n, value in enumerate(raw):
        if abs(value) > loud:
            if quiet > SOUND // 2:
                # the tone's first quarter of a wave before it is so loud
                found.append(first + n / SOUND)
            quiet = 0
        else:
            quiet += 1
    return found


late = [float(told) - float(wanted) for _, wanted, told in (line.split() for line in (OUT / "claps.txt").read_text().splitlines())]
print(f"the camera was told {statistics.median(late) * 1000:.1f} ms after each flash's moment, {max(late) * 1000:.1f} ms at most")
shown, heard = flashes(), beeps()
pairs = []
for dark, light in shown:
    near = min(heard, key=lambda beep: abs(beep - light), default=99)
    if abs(near - light) < 0.4:
        pairs.append((dark, light, near))
minutes = (shown[-1][1] - shown[0][1]) / 60 if shown else 0
check("flashes with their beeps", len(pairs) > 50 * minutes, f"{len(pairs)} in {minutes:.1f} minutes", "nearly every one")
offsets = []
for begin in range(0, len(pairs) - 29, 30):
    part = pairs[begin : begin + 30]
    # sound late, at least and at most, by each flash; the median of the middles is deaf to single slips
    offsets.append(statistics.median((beep - (dark + light) / 2) * 1000 for dark, light, beep in part))
told = statistics.median(late) * 1000
offsets = [offset + told for offset in offsets]
(OUT / "offsets.json").write_text(json.dumps(offsets))
worst = max(offsets, key=abs, default=99)
check("sound against picture, each half minute", abs(worst) <= MOST,
      f"{offsets[0]:+.1f} ms at first, {offsets[-1]:+.1f} at last, {min(offsets):+.1f} to {max(offsets):+.1f}", f"within {MOST} ms")  # fmt: skip
strayed = 100e-6 * minutes * 60 * 1000
check("it does not run off", abs(offsets[-1] - offsets[0]) < 10, f"{offsets[-1] - offsets[0]:+.1f} ms",
      f"under 10 ms; uncorrected it would be {strayed:.0f}")  # fmt: skip
print(f"{'FAILED' if failed else 'passed'} virtual box, sound and picture")
sys.exit(failed)
