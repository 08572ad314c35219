#!/usr/bin/env python3
"""panel-judge.py OUT LIVEBOX: did the display on the guest's bus show what the panel draws?

Reads OUT/panel: the journal of the bus; `marks`, how long it was when a page stood there, and when the
cable was out; for each page the status of that moment and a script that leads there. The bytes are
played into a model of the display, and the page is drawn again outside by `livebox panel --script`.
Compared is what stands under the headline, whose clock goes on, and every point of the QR code.
Prints one line a check; exits 1 if one fails. Needs ffmpeg, no Python package.
"""

import subprocess
import sys
from pathlib import Path

from display import Display, messages

PANEL, LIVEBOX = Path(sys.argv[1]) / "panel", sys.argv[2]
HEADLINE = 14
failed = False


def check(name, good, measured, wanted):
    global failed
    failed |= not good
    print(f"{'ok    ' if good else 'FAILED'} {name}: {measured} (wanted {wanted})")


def drawn(name):
    """The page as the panel draws it, row by row."""
    subprocess.run(
        [LIVEBOX, "panel", "--script", PANEL / f"{name}.txt", "--out", PANEL, "--lang", "en", "--display", "128x64"],
        check=True, stdout=subprocess.DEVNULL, env={"RUST_LOG": "error"},
    )  # fmt: skip
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", PANEL / f"{name}.png", "-vf", "scale=128:64:flags=neighbor,format=gray",
         "-f", "rawvideo", "-"],
        check=True, capture_output=True, stdin=subprocess.DEVNULL,
    ).stdout  # fmt: skip
    return [bytes(255 * (point > 127) for point in raw[y * 128 : y * 128 + 128]) for y in range(64)]


journal = (PANEL / "journal").read_bytes()
marks = [(name, int(length)) for name, length in (line.split() for line in (PANEL / "marks").read_text().splitlines())]
pulled = next(length for name, length in marks if name == "pulled")
pages = {name: [length for other, length in marks if other == name] for name, _ in marks if name != "pulled"}
check("pages of the display", len(pages) == 7, list(pages), "seven")
for name, lengths in pages.items():
    meant, top = drawn(name), 0 if name == "code" else HEADLINE
    wrong, seen = 128 * 64, meant
    for length in lengths:
        # what is plugged in again has forgotten everything
        begin = pulled if length > pulled else 0
        points = Display().hear(journal[begin:length]).points()
        differ = sum(a != b for row, wanted in zip(points[top:], meant[top:]) for a, b in zip(row, wanted))
        if differ < wrong:
            wrong, seen = differ, points
    lit = sum(map(sum, meant[top:])) // 255
    for kind, rows in (("seen", seen), ("meant", meant)):
        (PANEL / f"{name}-{kind}.pgm").write_bytes(b"P5 128 64 255\n" + b"".join(rows))
    check(f"points of the page {name} that differ", wrong == 0 and lit > 100, f"{wrong}, {lit} lit", "0")
again = journal[pulled:]
first = next(messages(again), b"")
check("the display that came back is set up again", first[:2] == b"\x00\xae", first[:4].hex(" "), "00 ae: off first")
check("it was drawn with what changed alone", len(journal) < 200_000, f"{len(journal)} bytes", "under 200000")
print(f"{'FAILED' if failed else 'passed'} virtual box: the front")
sys.exit(failed)
