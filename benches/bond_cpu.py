#!/usr/bin/env python3
"""What `livebox bond` and `livebox gateway` cost: SRT data over seven loopback uplinks, in both dialects.

    cargo build --release && python3 benches/bond_cpu.py [--mbit 20] [--seconds 10] [--runs 3] [--livebox FILE] [--srtla-send FILE]

Prints the share of one core (user + system time of the process, from /proc) of each run, the median and
the spread; exits with 1 if a median is above the goal of 4 %. With --srtla-send a sender of the field is
measured in the same minutes at half the rate (the goal is about what the C one takes there), and the
ratio is told. The listener behind the gateway acknowledges as libsrt does: every 10 ms.
"""
import argparse
import pathlib
import socket
import statistics
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))
import line
from line import Line, cpu_seconds, free_port

GOAL = 4.0
PAYLOAD = bytes([0x47]) * 1316
LINKS = 7


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


def run(dialect, mbit, seconds, sender):
    """Shares of a core, percent, of sender and gateway; and how many of the payloads are missing."""
    listener = Listener()
    listener.start()
    with Line("cpu", 1250, mbit * 1e6, dialect) as played:
        port = played.gateway(listener.port)
        if sender:
            to, port = port, free_port()
            ips = played.scenario("ips", "".join(f"127.0.1.{n}\n" for n in range(1, LINKS + 1)))
            played.start("sender", sender, port, "127.0.0.1", to, ips)
        else:
            port = played.bond(port, LINKS)
        time.sleep(3)
        pids = [played.running[name].pid for name in ("sender", "receiver")]
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
                before = ([cpu_seconds(pid) for pid in pids], now)
            while start + sent * gap <= now:
                head = struct.pack("!IIII", sent, 0xE0000000 | (sent + 1) & 0x3FFFFFF, int(sent * gap * 1e6), 1)
                caller.send(head + PAYLOAD)
                sent += 1
            time.sleep(gap / 2)
        span = now - before[1]
        shares = [100 * (cpu_seconds(pid) - was) / span for pid, was in zip(pids, before[0])]
        time.sleep(2)
        return shares, sent - len(listener.seen)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mbit", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dialect", nargs="+", choices=["srtla", "native"], default=["srtla", "native"])
    parser.add_argument("--livebox", default=line.LIVEBOX, help="the program to measure")
    parser.add_argument("--srtla-send", type=pathlib.Path, help="a built sender of the field, for comparison")
    args = parser.parse_args()
    # the processes are started in a folder of their own
    line.LIVEBOX = str(pathlib.Path(args.livebox).resolve())
    if not pathlib.Path(args.livebox).exists():
        parser.error(f"{args.livebox} is not built; run `cargo build --release`, or name another with --livebox")
    cases = [("livebox " + dialect, dialect, args.mbit, None) for dialect in args.dialect]
    if args.srtla_send:
        cases.append(("srtla_send", "srtla", args.mbit / 2, args.srtla_send.resolve()))
    shares = {name: ([], []) for name, *_ in cases}
    for number in range(args.runs):
        for name, dialect, mbit, sender in cases:
            (sends, receives), missing = run(dialect, mbit, args.seconds, sender)
            shares[name][0].append(sends)
            shares[name][1].append(receives)
            print(f"run {number + 1}: {name} {sends:.1f} %, gateway {receives:.1f} % of a core at {mbit:.0f} Mbit/s, "
                  f"{missing} missing", flush=True)
    worst = 0
    for name, (sends, receives) in shares.items():
        for what, all_of in (("sender", sends), ("gateway", receives)):
            median = statistics.median(all_of)
            print(f"{name}, {what}: median {median:.1f} %, {min(all_of):.1f} to {max(all_of):.1f} %")
            worst = max(worst, median if name != "srtla_send" else 0)
    if args.srtla_send:
        reference = statistics.median(shares["srtla_send"][0])
        for name in list(shares)[:-1]:
            ratio = statistics.median(shares[name][0]) / reference
            print(f"{name} at twice its rate takes {ratio:.2f} of what srtla_send does")
    print(f"goal {GOAL:.0f} %")
    sys.exit(worst > GOAL)


if __name__ == "__main__":
    main()
