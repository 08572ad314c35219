#!/usr/bin/env python3
"""judge.py OUT: what the far end heard of two lines on air, by its waveform, and what the box said.

All times are seconds of the recording that the mixers play (see `prepare`). Prints one line for each
promise; the last says passed or FAILED, and so does the exit status.
"""

import json
import math
import subprocess
import sys
from array import array
from pathlib import Path

OUT = Path(sys.argv[1])
RATE = 8000
WINDOW = RATE // 50  # 20 ms
# the first word comes a second after the recording's beginning
SPEECH = 1.0
WEAKER_B = 10 ** (-4 / 20)
failed = False


def check(name, good, measured, wanted):
    global failed
    failed |= not good
    print(f"{'ok    ' if good else 'FAILED'} {name}: {measured} (wanted {wanted})")


def samples(path, channels):
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-vn", "-ac", str(channels), "-ar", str(RATE), "-f", "s16le", "-"],
        capture_output=True, stdin=subprocess.DEVNULL,
    ).stdout  # fmt: skip
    return array("h", raw)


def power(sound, at, count):
    part = sound[at : at + count]
    return sum(x * x for x in part) / max(len(part), 1)


def product(a, at_a, b, at_b, count):
    return sum(map(int.__mul__, a[at_a : at_a + count], b[at_b : at_b + count]))


given = samples(OUT / "speech.wav", 1)
both = samples(OUT / "received.ts", 2)
left, right = both[0::2], both[1::2]


def begin():
    """Where in what was received the recording begins: first by its loudness, then by its waveform."""
    envelope = lambda sound: [math.sqrt(power(sound, at, WINDOW)) for at in range(0, len(sound) - WINDOW, WINDOW)]  # noqa: E731
    a, b = envelope(given)[: 9 * 50], envelope(left)
    # without the mean, or whatever is loud everywhere would win
    a = [x - sum(a) / len(a) for x in a]
    lags = range(max(1, len(b) - len(a)))
    coarse = max(lags, key=lambda lag: sum(x * y for x, y in zip(a, b[lag:]))) * WINDOW
    return best(2.0, coarse, 2 * WINDOW)


def best(second, near, reach, seconds=1.0):
    """By how many samples what was said then is heard later, in the second from there on."""
    at, count = int(second * RATE), int(seconds * RATE)
    alike = lambda lag: abs(product(given, at, left, at + lag, count))  # noqa: E731
    # every one of them: a pitch period beside the right place is nearly as like it as three samples beside it
    return max(range(max(-at, near - reach), near + reach + 1), key=alike)


LAG = begin()
# the programme may wait for the later line, so what is heard is looked for where it was heard last
LAGS = []
for second in (3.0, 7.5, 11.0, 15.5, 22.3, 27.5, 28.9, 32.2, 32.6, 40.4, 41.0, 44.4, 44.6, 48.2, 49.8):
    LAGS.append((second, best(second, LAGS[-1][1] if LAGS else LAG, 800)))


def lag(second):
    """By how many samples it comes later then, between the seconds at which that was measured."""
    (before, a), (after, b) = LAGS[0], LAGS[-1]
    for (before, a), (after, b) in zip(LAGS, LAGS[1:]):
        if second <= after:
            break
    share = (second - before) / (after - before)
    return round(a + (b - a) * min(1.0, max(0.0, share)))


def strength(start, end):
    """How strong what was received is, 1 for as it was given."""
    at, count = int(start * RATE), int((end - start) * RATE)
    return math.sqrt(power(left, at + lag(start), count) / max(1.0, power(given, at, count)))


def spoken(at):
    """In the midst of a word: its edges lie here or there, by what the coder makes of them."""
    return all(power(given, beside, WINDOW) > 250.0**2 for beside in (at - WINDOW, at, at + WINDOW))


def holes():
    """Stretches of speech that was given and not heard, joined over the pauses between words."""
    dead = []
    for at in range(int(SPEECH * RATE), int(51.0 * RATE) - WINDOW, WINDOW):
        if spoken(at) and power(left, at + lag(at / RATE), WINDOW) < 0.02 * power(given, at, WINDOW):
            dead.append(at / RATE)
    joined = []
    for at in dead:
        # a pause of the speaker joins what lies on both its sides
        last = int(joined[-1][1] * RATE) if joined else 0
        if joined and not any(spoken(w) and w / RATE not in dead for w in range(last, int(at * RATE), WINDOW)):
            joined[-1][1] = at + WINDOW / RATE
        else:
            joined.append([at, at + WINDOW / RATE])
    return joined


def hum(at):
    """Amplitude at 50 Hz over 0.2 s: no voice goes so low."""
    part = left[at : at + RATE // 5]
    re = sum(x * math.cos(2 * math.pi * 50 * n / RATE) for n, x in enumerate(part))
    im = sum(x * math.sin(2 * math.pi * 50 * n / RATE) for n, x in enumerate(part))
    return math.hypot(re, im) * 2 / len(part) / 32768


def judge_lines():
    strengths = {moment: strength(*moment) for moment in
                 [(3, 9), (27, 30), (32, 33.8), (40.2, 41.8), (44.2, 45.8), (48, 50.5)]}  # fmt: skip
    reference = strengths[(3, 9)]
    for (start, end), line in zip(list(strengths)[1:], "BABAB"):
        wanted = WEAKER_B if line == "B" else 1.0
        ratio = strengths[(start, end)] / reference
        check(f"line {line} is heard from {start} to {end} s", abs(ratio - wanted) < 0.12, f"{ratio:.2f} of line A's strength",
              f"{wanted:.2f} ± 0.12")  # fmt: skip


def judge_words():
    """Words of the new line against the last ones of the old, at each change of line."""
    heard = dict(LAGS)
    for why, before, after, line in (
        ("hum", 22.3, 27.5, "B"), ("by hand", 28.9, 32.2, "A"), ("fader down", 32.6, 40.4, "B"),
        ("by hand", 41.0, 44.4, "A"), ("lead pulled", 44.6, 48.2, "B"),
    ):  # fmt: skip
        off = (heard[after] - heard[before]) / RATE * 1000
        check(f"words of line {line} after the change ({why}) against those before", abs(off) <= 2.0, f"{off:+.2f} ms",
              "within 2 ms: nothing repeated, nothing skipped")  # fmt: skip
    # it waits for the later line once, and glides there; more than it may wait would be a wandering
    whole = (heard[49.8] - heard[3.0]) / RATE * 1000
    check("how much later the programme came at the end than at first", -2.0 <= whole <= 152.0, f"{whole:+.2f} ms",
          "at most the 150 ms by which it waits for the later line")  # fmt: skip


def judge_leads():
    for name, start, end in (("a lead out", 11.5, 14.0), ("a channel upside down", 18.5, 21.0)):
        at, count = int(start * RATE) + lag(start), int((end - start) * RATE)
        l, r = power(left, at, count), power(right, at, count)
        apart = 10 * math.log10(max(l, 1) / max(r, 1))
        alike = product(left, at, right, at, count) / count / math.sqrt(max(l, 1) * max(r, 1))
        check(f"both ears with {name}", abs(apart) < 1.0 and alike > 0.95, f"{apart:+.1f} dB apart, alike by {alike:.2f}",
              "within 1 dB, over 0.95")  # fmt: skip


def judge_switches():
    heard = [at / RATE for at in range(23 * RATE, 31 * RATE, RATE // 20) if hum(at + lag(at / RATE)) > 0.006]
    seen = max(heard, default=24.0) + 0.1 - 24.0
    check("hum: heard until line B is on air, of the 5 s that it lasts", bool(heard) and seen <= 3.0, f"{seen:.2f} s",
          "at most 2 s to find it and 1 s to switch")  # fmt: skip
    found = holes()
    told = ", ".join(f"{begin:.2f} to {end:.2f} s" for begin, end in found) or "none"
    silent = [hole for hole in found if 33.9 <= hole[0] and hole[1] <= 41.5]
    pulled = [hole for hole in found if 45.9 <= hole[0]]
    for name, fault, gaps, most, why in (
        ("fader down", 34.0, silent, 6.2, "5 s of patience and at most 1 s to switch"),
        ("lead pulled", 46.0, pulled, 2.0, "at most 1 s to find it and 1 s to switch"),
    ):  # fmt: skip
        back = max(end for _, end in gaps) - fault if gaps else math.inf
        check(f"{name}: the first word of line B after", len(gaps) == 1 and back <= most, f"{back:.2f} s", why)
    check("holes beside those two", len(found) == len(silent) + len(pulled), told, "no other, not of 20 ms")


def judge_alarms():
    status = {path.stem[5:]: json.loads(path.read_text()) for path in OUT.glob("look-*.json")}
    of = lambda name: {(alarm["kind"], alarm["subject"]) for alarm in status[name]["alarms"]}  # noqa: E731
    switched = ("line_switched", "mixer_b")
    for name, wanted in (
        ("clean", set()), ("one-lead", {("line_dead_channel", "mixer_a")}), ("inverted", {("line_polarity", "mixer_a")}),
        ("hum", {("line_hum", "mixer_a"), switched}), ("well", set()), ("silent", {("line_silent", "mixer_a"), switched}),
        ("pulled", {("line_unplugged", "mixer_a"), switched}),
    ):  # fmt: skip
        check(f"alarms: {name}", of(name) == wanted, sorted(of(name)) or "none", sorted(wanted) or "none")
    levels = status["clean"]["sound"]
    every = [levels["programme"], *(line["levels"] for line in levels["lines"])]
    check("meters of both lines and the programme", all(each and all(v is not None for v in each.values()) for each in every),
          levels["programme"], "peak, true peak, RMS, and loudness of three lengths")  # fmt: skip
    log = (OUT / "box.log").read_text(errors="replace")
    check("the box kept time", "too slow for the programme" not in log, log.count("too slow for the programme"), 0)


check("seconds received", len(left) > 50 * RATE, f"{len(left) / RATE:.1f} s", "over 50 s")
judge_alarms()
judge_lines()
judge_words()
judge_leads()
judge_switches()
print(f"{'FAILED' if failed else 'passed'} lines on air")
sys.exit(failed)
