#!/usr/bin/env python3
"""plot.py OUT SOUNDS BOX: takes the box on air, plays both mixers, looks at it and goes back to line A by hand.

Runs in the guest, with nothing but Python's own library. Seconds are those of the recording that SOUNDS/line-a.wav
holds; OUT/look-NAME.json is the box's status at those that judge.py asks for. At the end line A's card is taken away
and given back, and the box, whose process is BOX, is stopped for longer than a card keeps its samples; how long what
took is in OUT/cards.json.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

OUT, SOUNDS, BOX = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
DRIVER = Path("/sys/bus/platform/drivers/snd_aloop")
SOCKET = "/run/livebox/livebox.sock"


def ask(request):
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(10)
        door.connect(SOCKET)
        door.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(door.makefile().readline())


def status():
    return ask({"ask": "status"})["status"]


def send(verb, **more):
    reply = ask({"ask": "send", "command": {"verb": verb, **more}})
    assert "accepted" in reply, reply


def until_phase(phase, seconds):
    last = None
    for _ in range(seconds * 2):
        try:
            last = status()["phase"]
        except (OSError, ValueError, KeyError) as wrong:
            last = wrong
        if last == phase:
            return
        time.sleep(0.5)
    sys.exit(f"not {phase} after {seconds} s: {last!r}")


until_phase("standby", 60)
send("start")
until_phase("live", 60)
print("on air", flush=True)
time.sleep(2)
play = lambda line: subprocess.Popen(["aplay", "-q", "-D", f"hw:Mixer{line.upper()},1", SOUNDS / f"line-{line}.wav"])  # noqa: E731
players = [play("b"), play("a")]
began = time.monotonic()


def at(second):
    time.sleep(max(0.0, began + second - time.monotonic()))


def look(name):
    (OUT / f"look-{name}.json").write_text(json.dumps(status()))
    print(f"looked: {name}", flush=True)


at(9)
look("clean")
at(13.5)
look("one-lead")
at(20.5)
look("inverted")
at(28.3)
look("hum")
at(30.5)
send("audio", line="a")
at(33.3)
look("well")
at(41)
look("silent")
at(42.7)
send("audio", line="a")
at(49.5)
look("pulled")


def took(wanted, seconds):
    """How long it is until the box says so; none if it does not."""
    since = time.monotonic()
    while time.monotonic() - since < seconds:
        if wanted(status()):
            return time.monotonic() - since
        time.sleep(0.02)


def lost(now):
    return any((alarm["kind"], alarm["subject"]) == ("source_lost", "mixer_a") for alarm in now["alarms"])


def present(now):
    return any(given["source"] == "mixer_a" and given["present"] for given in now["inputs"])


cards = {}
at(51.5)
# the driver waits until nobody holds the card, and so does whoever asks it
taking = threading.Thread(target=(DRIVER / "unbind").write_text, args=("snd_aloop.0",))
taking.start()
cards["gone"] = took(lambda now: not present(now), 5)
# the alarm waits a second more, lest a plug that shakes raise ten of them
took(lost, 5)
taking.join()
look("gone")
(DRIVER / "bind").write_text("snd_aloop.0")
cards["back"] = took(present, 5)
print("line A's card was taken away and came back", flush=True)
os.kill(BOX, signal.SIGSTOP)
time.sleep(0.6)
os.kill(BOX, signal.SIGCONT)
time.sleep(3)
look("after")
(OUT / "cards.json").write_text(json.dumps(cards))
send("stop")
until_phase("standby", 30)
print("off air", flush=True)
for player in players:
    player.kill()
