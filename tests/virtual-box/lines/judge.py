#!/usr/bin/env python3
"""judge.py OUT: what the far end heard of two cards, by its waveform, and what the box said of them.

The words, the faults and the switches are judged as those of tests/on-air; what is added here is what a card
alone can do: run by a clock of its own, be taken away and come back, overrun.
"""

import json
import subprocess
import sys
from pathlib import Path

OUT = Path(sys.argv[1])
HERE = Path(__file__).resolve().parent
PPM = 150.0
failed = False


def check(name, good, measured, wanted):
    global failed
    failed |= not good
    print(f"{'ok    ' if good else 'FAILED'} {name}: {measured} (wanted {wanted})")


def look(name):
    return json.loads((OUT / f"look-{name}.json").read_text())


def ppm(status, name):
    return next((line["ppm"] for line in status["sound"]["lines"] if line["line"] == name), None)


def within(seconds, most):
    return seconds is not None and seconds <= most


failed |= subprocess.run([sys.executable, HERE.parent.parent / "on-air/judge.py", OUT]).returncode != 0
for name, wanted in (("a", 0.0), ("b", PPM)):
    told = ppm(look("pulled"), name)
    check(f"the clock of line {name.upper()}'s card", told is not None and abs(told - wanted) <= 15.0,
          f"{told:+.1f} ppm", f"{wanted:+.0f} ± 15")  # fmt: skip

cards = json.loads((OUT / "cards.json").read_text())
check("card taken away: told", within(cards["gone"], 1.0), f"{cards['gone']} s", "at most 1 s")
check("card given back: taken into use", within(cards["back"], 2.5), f"{cards['back']} s", "at most 2.5 s")
switched = ("line_switched", "mixer_b")
for name, wanted in (("gone", {("source_lost", "mixer_a"), switched}), ("after", {switched})):
    # what a line without a player carries, after its card came, is for the words above
    alarms = {(alarm["kind"], alarm["subject"]) for alarm in look(name)["alarms"]}
    check(f"alarms: {name}", alarms == wanted, sorted(alarms), sorted(wanted))
log = (OUT / "box.log").read_text(errors="replace")
check("overruns recovered on the same handle", log.count("sound card recovered") >= 2 and "does not recover" not in log,
      log.count("sound card recovered"), "one a card, at least")  # fmt: skip
print(f"{'FAILED' if failed else 'passed'} virtual box, lines")
sys.exit(failed)
