#!/usr/bin/env python3
"""judge.py OUT: does the file that the far end stored hold what the devices gave?

Reads OUT/received.ts, OUT/reference.yuyv (one picture of the camera, grabbed beside the box),
OUT/links.txt (bytes each uplink carried: at the start, when the wired one was cut, at the end),
OUT/stall.txt and OUT/silence.txt (seconds just before and after the camera's stall, mixer A's
silence, and the end of each) and OUT/panel.journal (what was written to the display).
Prints one line a check, measured beside wanted; exits 1 if one fails. Needs ffmpeg, no Python package.
"""

import cmath
import json
import math
import re
import subprocess
import sys
from array import array
from datetime import datetime
from pathlib import Path

from display import Display

OUT = Path(sys.argv[1])
RECEIVED = OUT / "received.ts"
WIDTH, HEIGHT, RATE = 640, 360, 15
TICKS = 90_000
COLOUR_TOLERANCE = 12  # steps of 8 bits, in Y, U and V
LINE_A, LINE_B = 440.0, 1000.0  # Hz: what the story plays into either mixer
TONE_TOLERANCE = 1.0  # Hz
TONE_ABOVE_REST = 20.0  # dB
LEAST_SECONDS = 22.0
EDGES = 0.3  # s: a slate stands within 200 ms and goes within 100
WINDOW = 32768  # samples: 0.68 s at 48 kHz, bins of 1.46 Hz

failed = False


def check(name, good, measured, wanted):
    global failed
    failed |= not good
    print(f"{'ok    ' if good else 'FAILED'} {name}: {measured} (wanted {wanted})")


def tool(*command):
    return subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout


def probe(*arguments):
    return json.loads(tool("ffprobe", "-v", "error", "-of", "json", *arguments, RECEIVED))


def stamps(kind):
    """The stamps of one stream's packets, in ticks of 90 kHz."""
    return [int(packet["pts"]) for packet in probe("-select_streams", kind, "-show_entries", "packet=pts")["packets"]]


def patches(picture):
    """Mean Y, U and V of a 16×16 patch in the middle of each of the eight bars, in three rows, from yuv444p."""
    plane = WIDTH * HEIGHT
    means = []
    for row in (1, 2, 3):
        for bar in range(8):
            left, top = (2 * bar + 1) * WIDTH // 16 - 8, row * HEIGHT // 4 - 8
            lines = [range((top + y) * WIDTH + left, (top + y) * WIDTH + left + 16) for y in range(16)]
            means.append([sum(picture[p * plane + at] for line in lines for at in line) / 256 for p in range(3)])
    return means


def judge_format():
    streams = {stream["codec_type"]: stream for stream in probe("-show_streams")["streams"]}
    video, audio = streams.get("video", {}), streams.get("audio", {})
    check("picture is H.264", video.get("codec_name") == "h264", video.get("codec_name"), "h264")
    check("sound is AAC", audio.get("codec_name") == "aac", audio.get("codec_name"), "aac")
    size = f"{video.get('width')}x{video.get('height')}"
    check("size of the picture", size == f"{WIDTH}x{HEIGHT}", size, f"{WIDTH}x{HEIGHT}")
    # the far end joins between two key pictures; from the first one on every picture must decode
    packets = probe("-select_streams", "v", "-show_entries", "packet=pos,flags")["packets"]
    first = next(int(packet["pos"]) for packet in packets if "K" in packet["flags"])
    # off air cuts the last block of sound in two
    length = (stamps("a")[-1] - stamps("a")[0]) / TICKS - 0.1
    for kind, decoder, begin in (("v", "h264", first), ("a", "aac", 0)):
        words = subprocess.run(
            ["ffmpeg", "-v", "error", "-skip_initial_bytes", str(begin), "-i", RECEIVED, "-map", f"0:{kind}",
             "-t", str(length), "-f", "null", "-"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
        ).stderr  # fmt: skip
        faults = [line for line in words.decode(errors="replace").splitlines() if f"[{decoder} " in line]
        check(f"faults of the {decoder} decoder", not faults, "; ".join(faults[:3]) or 0, 0)
    return video


def judge_stamps():
    # a picture is 6000 ticks; a block of sound is 1920, stamped by way of nanoseconds, so off by one at most
    for kind, name, step, slack in (("v", "picture", TICKS // RATE, 0), ("a", "sound", 1024 * TICKS // 48_000, 1)):
        at = stamps(kind)
        odd = [b - a for a, b in zip(at, at[1:]) if abs(b - a - step) > 2 * slack]
        drift = max(abs(stamp - at[0] - n * step) for n, stamp in enumerate(at)) if not odd else 0
        check(f"{name} stamps that are not one step apart", not odd and drift <= slack,
              f"{len(odd)} {odd[:5]}, drift {drift} ticks", f"0 of {len(at) - 1}, drift {slack}")  # fmt: skip
        seconds = (at[-1] - at[0]) / TICKS
        check(f"length of the {name}", seconds >= LEAST_SECONDS, f"{seconds:.1f} s", f"at least {LEAST_SECONDS} s")


def judge_colours(video):
    # the camera's is BT.601; of the stream, what a player does: believe its matrix, without one BT.601 as it is small
    matrix = video.get("color_space", "unknown")
    read_as = {"bt709": "bt709"}.get(matrix, "bt601")
    reference = patches(
        tool("ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuyv422", "-s", f"{WIDTH}x{HEIGHT}",
             "-i", OUT / "reference.yuyv", "-frames:v", "1", "-pix_fmt", "yuv444p", "-f", "rawvideo", "-")
    )  # fmt: skip
    # two pictures a second, from 1 s on: the first may still be the slate's cross-over
    raw = tool("ffmpeg", "-v", "error", "-i", RECEIVED,
               "-vf", f"fps=2,trim=start=1,scale=in_color_matrix={read_as}:out_color_matrix=bt601,format=yuv444p",
               "-f", "rawvideo", "-")  # fmt: skip
    size = WIDTH * HEIGHT * 3
    pictures = [patches(raw[at : at + size]) for at in range(0, len(raw) - size + 1, size)]
    # the slate has no bars, and its neighbours may still be sharpening up
    slate = [max(m[0] for m in picture[:8]) - min(m[0] for m in picture[:8]) < 40 for picture in pictures]
    pictures = [picture for n, picture in enumerate(pictures) if not any(slate[max(0, n - 1) : n + 2])]
    worst = [0.0, 0.0, 0.0]
    for picture in pictures:
        for seen, meant in zip(picture, reference):
            worst = [max(w, abs(s - m)) for w, s, m in zip(worst, seen, meant)]
    good = len(pictures) >= 20 and max(worst) <= COLOUR_TOLERANCE
    measured = "Y {:.1f} U {:.1f} V {:.1f}".format(*worst)
    check(f"colour bars, farthest off in {len(pictures)} pictures (matrix {matrix})", good, measured,
          f"at most {COLOUR_TOLERANCE}")  # fmt: skip
    spread = max(m[0] for m in reference) - min(m[0] for m in reference)
    check("the reference shows bars", spread > 100, f"Y spans {spread:.0f}", "over 100")


def spectrum(samples):
    """Power of each bin up to half the rate; a Hann window first."""

    def transform(values):
        count = len(values)
        if count == 1:
            return values
        even, odd = transform(values[::2]), transform(values[1::2])
        turned = [cmath.rect(1, -2 * math.pi * k / count) * value for k, value in enumerate(odd)]
        return [e + o for e, o in zip(even, turned)] + [e - o for e, o in zip(even, turned)]

    count = len(samples)
    windowed = [s * (0.5 - 0.5 * math.cos(2 * math.pi * n / count)) for n, s in enumerate(samples)]
    return [abs(value) ** 2 for value in transform(windowed)[: count // 2]]


def loudest(samples):
    """Pitch of the loudest tone in Hz, and by how many dB it stands above everything else together."""
    power = spectrum(samples)
    power[0] = power[1] = 0.0
    top = max(range(2, len(power) - 1), key=power.__getitem__)
    if power[top] <= 0:
        return 0.0, 0.0
    left, middle, right = (math.log(power[top + d] + 1e-12) for d in (-1, 0, 1))
    pitch = (top + (left - right) / (2 * (left - 2 * middle + right))) * 48_000 / WINDOW
    tone = sum(power[max(0, top - 4) : top + 5])
    return pitch, 10 * math.log10(tone / max(sum(power) - tone, 1e-9))


def judge_tone():
    pcm = array("h", tool("ffmpeg", "-v", "error", "-i", RECEIVED, "-vn", "-ac", "1", "-ar", "48000", "-f", "s16le", "-"))
    windows = [loudest(pcm[at : at + WINDOW]) for at in range(WINDOW, len(pcm) - WINDOW, WINDOW)]
    heard = {}
    for line, wanted in (("A", LINE_A), ("B", LINE_B)):
        heard[line] = [n for n, (pitch, above) in enumerate(windows)
                       if abs(pitch - wanted) <= TONE_TOLERANCE and above >= TONE_ABOVE_REST]  # fmt: skip
        pitches = [windows[n][0] for n in heard[line]] or [0.0]
        least = min((windows[n][1] for n in heard[line]), default=0.0)
        check(f"tone of mixer {line}", len(heard[line]) >= 5,
              f"{min(pitches):.2f} to {max(pitches):.2f} Hz, {least:.0f} dB above the rest, in {len(heard[line])} windows",
              f"{wanted:.0f} ± {TONE_TOLERANCE:.0f} Hz, {TONE_ABOVE_REST:.0f} dB, in 5 windows")  # fmt: skip
    # the window in which the line is switched holds both, those at the edges of the silence a piece of one
    other = [windows[n] for n in range(len(windows)) if n not in heard["A"] and n not in heard["B"] and windows[n][0]]
    allowed = 4 + 2 * len(stood_still())
    check("windows with neither tone alone nor silence", len(other) <= allowed, f"{len(other)} {other[:5]}",
          f"at most {allowed}: 2 of the switch, 2 of the silence, 2 each time the emulation was too slow")  # fmt: skip
    quiet = runs([max(map(abs, pcm[at : at + 480])) < 30 for at in range(0, len(pcm) - 480, 480)])
    longest = max((end - begin for begin, end in quiet), default=0) / 100
    least, most = outage("silence.txt")
    check("silence while nobody played", least - EDGES <= longest <= most + 1.0, f"{longest:.2f} s",
          f"{least:.2f} to {most:.2f} s, and what a player needs to begin")  # fmt: skip
    order = not heard["A"] or not heard["B"] or max(heard["A"]) < min(heard["B"])
    check("line A first, then line B", order, order, True)


def outage(name):
    """The shortest and the longest that it can have lasted in the programme, in seconds.

    Where the emulation is too slow the box says so and its programme stands still meanwhile.
    """
    before, after, back_before, back_after = map(float, (OUT / name).read_text().split())
    stood = sum(late for at, late in stood_still() if before <= at <= back_after + 2)
    return max(back_before - after - stood, 1.0), back_after - before


def stood_still():
    """When the box said that the machine is too slow, and the seconds that its programme leaves out for it."""
    told = re.compile(r"^(\S+)Z .*too slow for the programme.*late_ms=(\d+)", re.M)
    log = re.sub(r"\x1b\[[0-9;]*m", "", (OUT / "box.log").read_text(errors="replace"))
    at = lambda stamp: datetime.fromisoformat(stamp + "+00:00").timestamp()  # noqa: E731
    return [(at(stamp), int(late) / 1000) for stamp, late in told.findall(log)]


def runs(flags):
    """Begin and end of each run of True."""
    edges = [n for n in range(len(flags) + 1) if (flags[n - 1] if n else False) != (flags[n] if n < len(flags) else False)]
    return list(zip(edges[::2], edges[1::2]))


def judge_slate():
    # eight points across the bars; the slate is one dark blue there. Stamps are steps, so pictures are time
    raw = tool("ffmpeg", "-v", "error", "-i", RECEIVED, "-vsync", "passthrough",
               "-vf", f"crop={WIDTH}:{HEIGHT // 8}:0:0,scale=8:1:flags=area,format=gray", "-f", "rawvideo", "-")  # fmt: skip
    flat = [max(raw[at : at + 8]) - min(raw[at : at + 8]) < 40 for at in range(0, len(raw), 8)]
    slates = runs(flat)
    told = ", ".join(f"{begin / RATE:.2f} to {end / RATE:.2f} s" for begin, end in slates) or "none"
    check("slates, and the camera at both ends", len(slates) == 1 and not flat[0] and not flat[-1], told, "one in between")
    least, most = outage("stall.txt")
    length = max((end - begin for begin, end in slates), default=0) / RATE
    check("length of the slate", least - EDGES <= length <= most + EDGES, f"{length:.2f} s",
          f"the stall of {least:.2f} to {most:.2f} s ± {EDGES} s")  # fmt: skip


def judge_links():
    moments = {}
    for line in (OUT / "links.txt").read_text().splitlines():
        moment, link, carried = line.split()
        moments.setdefault(moment, {})[link] = int(carried)
    start, cut, end = moments["start"], moments["cut"], moments["end"]
    before = cut["wired0"] - start["wired0"]
    check("wired carried before it was cut", before > 80_000, f"{before} bytes", "over 80000")
    after = sum(end[link] - cut[link] for link in end if link.startswith("lte"))
    check("modems carried after the cut", after > 300_000, f"{after} bytes", "over 300000")


def judge_panel():
    """Plays what was written to the display into a model of it."""
    display = Display().hear((OUT / "panel.journal").read_bytes())
    rows = display.points()
    lit = sum(map(sum, rows)) / 255 / 8192
    (OUT / "panel.pgm").write_bytes(b"P5 128 64 255\n" + b"".join(rows))
    check("the display is on and shows something", 0.02 < lit < 0.9, f"on {display.on}, {lit:.0%} of its points lit",
          f"2 to 90 % lit; the picture is {OUT / 'panel.pgm'}")  # fmt: skip
    check("the display was drawn again and again", display.drawn > 2 * 1024, f"{display.drawn} bytes", "over 2048; only what changed travels")


video = judge_format()
judge_stamps()
judge_slate()
judge_colours(video)
judge_tone()
judge_links()
judge_panel()
print(f"{'FAILED' if failed else 'passed'} virtual box")
sys.exit(failed)
