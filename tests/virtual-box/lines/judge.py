#!/usr/bin/env python3
"""judge.py OUT: what the far end heard of two cards, by its waveform, and what the box said of them.

The words, the faults and the switches are judged as those of tests/on-air; what is added here is the clock
of line B's card.
"""

import json
import subprocess
import sys
from pathlib import Path

OUT = Path(sys.argv[1])
HERE = Path(__file__).resolve().parent
PPM = 150.0

ended = subprocess.run([sys.executable, HERE.parent.parent / "on-air/judge.py", OUT]).returncode
lines = json.loads((OUT / "look-pulled.json").read_text())["sound"]["lines"]
told = next(line for line in lines if line["line"] == "b")["ppm"]
good = told is not None and abs(told - PPM) <= 15.0
print(f"{'ok    ' if good else 'FAILED'} the clock of line B's card: {told} ppm (wanted {PPM:.0f} ± 15)")
sys.exit(1 if ended or not good else 0)
