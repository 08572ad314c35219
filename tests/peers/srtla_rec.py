#!/usr/bin/env python3
"""A plain SRTLA receiver with the habits of the field's oldest one, written from the protocol alone.

Acknowledges by tens and without a timer, sends SRT ACKs to every link and all else, NAKs too, to the
link that spoke last, answers unpadded, forgets links after 10 s and looks for them every 3 s.

usage: srtla_rec.py LISTEN_IP:PORT SRT_HOST:PORT
On SIGTERM it prints one line of JSON: what it saw.
"""
import json
import os
import select
import signal
import socket
import struct
import sys
import time

KEEPALIVE, ACK, REG1, REG2, REG3, ERR, NGP = 0x9000, 0x9100, 0x9200, 0x9201, 0x9202, 0x9210, 0x9211
SRT_ACK = 0x8002
GROUPS, LINKS, TIMEOUT, SWEEP = 200, 8, 10.0, 3.0


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


class Group:
    def __init__(self, name, founder, now):
        self.name, self.last, self.made = name, founder, now
        self.links = {}  # address -> [last heard, sequence numbers]
        self.srt = None


class Receiver:
    def __init__(self, listen, srt):
        self.public = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.public.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.public.bind(listen)
        self.srt, self.groups, self.swept = srt, [], time.monotonic()
        self.seen = {"groups": 0, "links": 0, "data": 0, "control": 0, "acks": 0, "naks": 0, "strangers": 0}

    def answer(self, to, kind, body=b""):
        self.public.sendto(struct.pack("!H", kind) + body, to)

    def group_of(self, who):
        return next((g for g in self.groups if who in g.links), None)

    def from_sender(self, datagram, who, now):
        kind = struct.unpack("!H", datagram[:2])[0] if len(datagram) >= 2 else 0
        if kind == REG1 and len(datagram) == 258:
            if self.group_of(who) or any(g.last == who and not g.links for g in self.groups) or len(self.groups) >= GROUPS:
                return self.answer(who, ERR)
            group = Group(datagram[2:130] + os.urandom(128), who, now)
            self.groups.append(group)
            self.seen["groups"] += 1
            return self.answer(who, REG2, group.name)
        if kind == REG2 and len(datagram) == 258:
            group = next((g for g in self.groups if g.name == datagram[2:]), None)
            if group is None:
                return self.answer(who, NGP)
            other = self.group_of(who)
            if (other and other is not group) or (who not in group.links and len(group.links) >= LINKS):
                return self.answer(who, ERR)
            if who not in group.links:
                self.seen["links"] += 1
            group.links.setdefault(who, [now, []])[0] = now
            group.last = who
            return self.answer(who, REG3)
        group = self.group_of(who)
        if group is None:
            self.seen["strangers"] += 1
            return None
        group.links[who][0] = now
        if kind == KEEPALIVE:
            return self.public.sendto(datagram, who)
        if len(datagram) < 16:
            return None
        group.last = who
        if not datagram[0] & 0x80:
            self.seen["data"] += 1
            numbers = group.links[who][1]
            numbers.append(datagram[:4])
            if len(numbers) == 10:
                self.seen["acks"] += 1
                self.answer(who, ACK, b"\0\0" + b"".join(numbers))
                numbers.clear()
        else:
            self.seen["control"] += 1
        if group.srt is None:
            group.srt = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            group.srt.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            group.srt.connect(self.srt)
        try:
            group.srt.send(datagram)
        except OSError:
            pass
        return None

    def from_listener(self, group):
        try:
            datagram = group.srt.recv(2048)
        except OSError:
            return
        kind = struct.unpack("!H", datagram[:2])[0] if len(datagram) >= 2 else 0
        self.seen["naks"] += kind == 0x8003
        for who in list(group.links) if kind == SRT_ACK else [group.last]:
            self.public.sendto(datagram, who)

    def sweep(self, now):
        self.swept = now
        for group in self.groups:
            group.links = {who: link for who, link in group.links.items() if now - link[0] <= TIMEOUT}
        self.groups = [g for g in self.groups if g.links or now - g.made <= TIMEOUT]

    def run(self):
        while True:
            by_socket = {g.srt: g for g in self.groups if g.srt}
            ready, _, _ = select.select([self.public, *by_socket], [], [], 1.0)
            now = time.monotonic()
            for found in ready:
                if found is self.public:
                    datagram, who = found.recvfrom(2048)
                    self.from_sender(datagram, who, now)
                else:
                    self.from_listener(by_socket[found])
            if now - self.swept > SWEEP:
                self.sweep(now)


if __name__ == "__main__":
    receiver = Receiver(address(sys.argv[1]), address(sys.argv[2]))

    def end(*_):
        print(json.dumps(receiver.seen), flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    print("listening", flush=True)
    receiver.run()
