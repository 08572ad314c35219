#!/usr/bin/env python3
"""hand.py FIFO: a knob and keys made up by uinput, named "front-knob", moved by the lines of FIFO.

    turn CLICKS        the knob; clockwise is positive
    press KEY SECONDS  KEY_ENTER (the knob) or KEY_F1 to KEY_F8, down for so long

Ends with the FIFO's last writer. Needs /dev/uinput and no Python package.
"""

import fcntl
import os
import struct
import sys
import time

EV_SYN, EV_KEY, EV_REL = 0, 1, 2
REL_DIAL = 7
KEYS = {"KEY_ENTER": 28, **{f"KEY_F{n}": 58 + n for n in range(1, 9)}}
# linux/uinput.h
SET_EVBIT, SET_KEYBIT, SET_RELBIT, SETUP, CREATE = 0x40045564, 0x40045565, 0x40045566, 0x405C5503, 0x5501

device = os.open("/dev/uinput", os.O_WRONLY)
for kind in (EV_KEY, EV_REL):
    fcntl.ioctl(device, SET_EVBIT, kind)
for code in KEYS.values():
    fcntl.ioctl(device, SET_KEYBIT, code)
fcntl.ioctl(device, SET_RELBIT, REL_DIAL)
fcntl.ioctl(device, SETUP, struct.pack("4H80sI", 6, 1, 1, 1, b"front-knob", 0))
fcntl.ioctl(device, CREATE)


def give(kind, code, value):
    for event in ((kind, code, value), (EV_SYN, 0, 0)):
        os.write(device, struct.pack("llHHi", 0, 0, *event))


with open(sys.argv[1], encoding="ascii") as lines:
    for line in lines:
        match line.split():
            case ["turn", clicks]:
                for _ in range(abs(int(clicks))):
                    give(EV_REL, REL_DIAL, 1 if int(clicks) > 0 else -1)
                    time.sleep(0.05)
            case ["press", key, seconds]:
                give(EV_KEY, KEYS[key], 1)
                time.sleep(float(seconds))
                give(EV_KEY, KEYS[key], 0)
