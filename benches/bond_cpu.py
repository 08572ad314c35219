#!/usr/bin/env python3
"""What `livebox bond` costs: 20 Mbit/s of SRT data over seven loopback uplinks to `livebox gateway`.

    cargo build --release && python3 benches/bond_cpu.py [--mbit 20] [--seconds 10] [--runs 3] [--livebox FILE]

Prints the share of one core (user + system time of the process, from /proc) of each run, the median
and the spread; exits with 1 if the median is above the goal of 8 %. The listener behind the gateway
acknowledges as libsrt does: every 10 ms.
"""
import argparse
import os
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

GOAL = 8.0
PAYLOAD = bytes([0x47]) * 1316


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Listener(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.seen, self.next = set(), 0

    def run(self):
        number, said = 0, 0.0
        while True:
            datagram, caller = self.socket.recvfrom(2048)
            if not datagram[0] & 0x80:
                self.seen.add(struct.unpack("!I", datagram[:4])[0])
            now = time.monotonic()
            if now - said >= 0.01:
                said, number = now, number + 1
                while self.next in self.seen:
                    self.next += 1
                head = struct.pack("!IIII", 0x8002 << 16, number, 0, 1)
                self.socket.sendto(head + struct.pack("!7I", self.next, 10000, 5000, 8192, 0, 0, 0), caller)


def run(livebox, mbit, seconds):
    listener = Listener()
    listener.start()
    gateway_port, port = free_port(), free_port()
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    gateway = subprocess.Popen(
        [livebox, "gateway", "--listen", f"127.0.0.1:{gateway_port}", "--to", f"127.0.0.1:{listener.port}"], **quiet)
    uplinks = [word for n in range(1, 8) for word in ("--uplink", f"127.0.1.{n}")]
    bond = subprocess.Popen(
        [livebox, "bond", "--listen", f"127.0.0.1:{port}", "--to", f"127.0.0.1:{gateway_port}", *uplinks], **quiet)
    try:
        time.sleep(3)
        caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        caller.connect(("127.0.0.1", port))
        gap, sent = 1316 * 8 / (mbit * 1e6), 0
        # only a handshake makes a sender the caller; this one concludes at once
        caller.send(struct.pack("!4I12I", 0x80000000, 0, 0, 0, 5, 0, 0, 1500, 8192, 0xFFFFFFFF, 1, 0, 0, 0, 0, 0))
        start = time.monotonic()
        before = None
        # the first second, in which links prove themselves, is not measured
        while (now := time.monotonic()) < start + seconds + 1:
            if before is None and now > start + 1:
                before = (cpu_seconds(bond.pid), cpu_seconds(gateway.pid), now, sent)
            while start + sent * gap <= now:
                caller.send(struct.pack("!IIII", sent, 0xE0000000 | (sent + 1) & 0x3FFFFFF, int(sent * gap * 1e6), 1) + PAYLOAD)
                sent += 1
            time.sleep(gap / 2)
        span = now - before[2]
        bond_share = (cpu_seconds(bond.pid) - before[0]) / span * 100
        gateway_share = (cpu_seconds(gateway.pid) - before[1]) / span * 100
        time.sleep(2)
        rate = (sent - before[3]) * 1316 * 8 / span / 1e6
        return bond_share, gateway_share, rate, sent - len(listener.seen)
    finally:
        for process in (bond, gateway):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--mbit", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--livebox", default="target/release/livebox")
    args = parser.parse_args()
    shares = []
    for number in range(args.runs):
        share, gateway, rate, missing = run(args.livebox, args.mbit, args.seconds)
        shares.append(share)
        print(f"run {number + 1}: bond {share:.1f} %, gateway {gateway:.1f} % of a core at {rate:.1f} Mbit/s, {missing} missing")
    median = statistics.median(shares)
    print(f"bond: median {median:.1f} %, {min(shares):.1f} to {max(shares):.1f} %, goal {GOAL:.0f} %")
    sys.exit(median > GOAL)
