#!/usr/bin/env python3
"""plot.py OUT: plays the far ends of two HDMI cables, on vivid, and writes down when it did what.

Sets both signals, touches OUT/plot.ready, waits for OUT/plot.go, then plays; OUT/plot.json lists, for each
thing done, which input, what, and the seconds of the wall clock just before and just after it. Runs in the
guest, with nothing but Python's own library; vivid's controls are found by their names.
"""

import fcntl
import glob
import json
import os
import struct
import sys
import threading
import time
from pathlib import Path

OUT = Path(sys.argv[1])
QUERYCAP, QUERYCTRL, QUERYMENU, S_CTRL = 0x80685600, 0xC0445624, 0xC02C5625, 0xC008561C
NEXT = 0x80000000
# vivid's own numbers of what a signal can be
NO_SIGNAL, NO_LOCK, OUT_OF_RANGE, SELECTED = 1, 2, 3, 4
DRIVER = Path("/sys/bus/platform/drivers/vivid")
done, pen = [], threading.Lock()


def text(raw):
    return raw.split(b"\0")[0].decode()


class Input:
    """One HDMI input, found by its place."""

    def __init__(self, name, bus, pattern):
        self.name, self.bus, self.pattern = name, bus, pattern
        self.open()

    def open(self):
        for _ in range(100):
            for node in sorted(glob.glob("/dev/video*")):
                try:
                    fd = os.open(node, os.O_RDWR | os.O_NONBLOCK)
                except OSError:
                    continue
                caps = fcntl.ioctl(fd, QUERYCAP, bytes(104))
                # a capture node: bit 0 of the node's own capabilities
                if text(caps[48:80]) == self.bus and struct.unpack_from("I", caps, 88)[0] & 1:
                    self.fd = fd
                    self.controls = self.find()
                    return
                os.close(fd)
            time.sleep(0.05)
        raise SystemExit(f"no capture node at {self.bus}")

    def find(self):
        controls, at = {}, NEXT
        while True:
            try:
                answer = fcntl.ioctl(self.fd, QUERYCTRL, struct.pack("II", at, 0) + bytes(60))
            except OSError:
                return controls
            number, kind = struct.unpack_from("II", answer)
            controls[text(answer[8:40])] = number
            at = number | NEXT

    def set(self, control, value):
        fcntl.ioctl(self.fd, S_CTRL, struct.pack("Ii", self.controls[control], value))

    def menu(self, control, wanted):
        for index in range(200):
            try:
                answer = fcntl.ioctl(self.fd, QUERYMENU, struct.pack("II", self.controls[control], index) + bytes(36))
            except OSError:
                continue
            if text(answer[8:40]) == wanted:
                return index
        raise SystemExit(f"{control} has no {wanted}")

    def dress(self):
        """What is on the cable: this input's pattern, without words on it, in 720p at 25."""
        self.set("Test Pattern", self.pattern)
        self.set("OSD Text Mode", 2)
        self.set("DV Timings", self.menu("DV Timings", "1280x720p25"))
        self.set("DV Timings Signal Mode", SELECTED)

    def does(self, what, *settings):
        before = time.time()
        for control, value in settings:
            self.set(control, value)
        note(self.name, what, before, time.time())

    def signal(self, mode, what):
        self.does(what, ("DV Timings Signal Mode", mode))

    def timings(self, name):
        self.does(f"now {name}", ("DV Timings", self.menu("DV Timings", name)))


def note(name, what, before, after):
    with pen:
        done.append({"input": name, "what": what, "before": before, "after": after})
        print(f"{before:.3f} {name}: {what}", flush=True)


def camera_story(camera):
    camera.does("brighter", ("Brightness", 170))
    time.sleep(2)
    camera.does("as before", ("Brightness", 128))
    time.sleep(4)
    for mode, what in ((NO_SIGNAL, "no signal"), (NO_LOCK, "no lock"), (OUT_OF_RANGE, "out of range")):
        camera.signal(mode, what)
        time.sleep(2.5)
        camera.signal(SELECTED, "signal")
        # further apart than two losses of an unsteady source
        time.sleep(8.5)
    for name in ("720x576p50", "1280x720p30"):
        camera.timings(name)
        time.sleep(11)


def flapping(slides):
    until = time.time() + 60
    while time.time() < until:
        slides.signal(NO_SIGNAL, "no signal")
        time.sleep(1)
        slides.signal(SELECTED, "signal")
        time.sleep(1)


camera = Input("camera", "platform:vivid-000", 0)
slides = Input("slides", "platform:vivid-001", 3)
camera.dress()
slides.dress()
(OUT / "plot.ready").touch()
while not (OUT / "plot.go").exists():
    time.sleep(0.1)
time.sleep(3)
flaps = threading.Thread(target=flapping, args=(slides,))
flaps.start()
camera_story(camera)
flaps.join()
time.sleep(6)

# gone while somebody still holds it, back when the last one lets go: our own handle is that one
slides.does("unplugged", ("Disconnect", 1))
time.sleep(2.5)
before = time.time()
os.close(slides.fd)
note("slides", "plugged in", before, time.time())
time.sleep(11)

device = next(DRIVER.glob("vivid.*")).name
os.close(camera.fd)
before = time.time()
(DRIVER / "unbind").write_text(device)
for name in ("camera", "slides"):
    note(name, "driver unbound", before, time.time())
time.sleep(3)
(DRIVER / "bind").write_text(device)
for one in (camera, slides):
    one.open()
    one.dress()
for name in ("camera", "slides"):
    note(name, "driver bound", time.time(), time.time())
time.sleep(8)
(OUT / "plot.json").write_text(json.dumps(done, indent=1))
