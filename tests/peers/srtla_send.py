#!/usr/bin/env python3
"""A plain SRTLA sender, written from the protocol alone: best score wins, sent at once, nothing repeated.

usage: srtla_send.py LISTEN_IP:PORT GATEWAY_HOST:PORT SOURCE_IP...
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
START, LEAST, MOST = 20000, 1000, 60000


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


class Link:
    def __init__(self, source):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((source, 0))
        self.up, self.window, self.sent, self.heard, self.spoke = False, START, {}, 0.0, 0.0


class Sender:
    def __init__(self, listen, far, sources):
        self.caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.caller.bind(listen)
        self.far, self.peer = far, None
        self.links = [Link(source) for source in sources]
        self.name, self.known, self.asked = os.urandom(256), False, 0.0
        self.seen = {"up": 0, "data": 0, "acked": 0, "echoes": 0, "refused": 0, "shortest": 9999}

    def say(self, link, datagram, now):
        link.spoke = now
        try:
            link.socket.sendto(datagram, self.far)
        except OSError:
            pass

    def from_far(self, link, datagram, now):
        kind = struct.unpack("!H", datagram[:2])[0] if len(datagram) >= 2 else 0
        link.heard = now
        if 0x9000 <= kind < 0x9300:
            self.seen["shortest"] = min(self.seen["shortest"], len(datagram))
        if kind == NGP:
            if not any(l.up for l in self.links) and now - self.asked > 4:
                self.asked = now
                self.say(link, struct.pack("!H", REG1) + self.name, now)
        elif kind == REG2 and len(datagram) == 258 and datagram[2:130] == self.name[:128]:
            self.name, self.known = datagram[2:], True
            for each in self.links:
                self.say(each, datagram, now)
        elif kind == REG3:
            self.seen["up"] += not link.up
            link.up = True
        elif kind == ERR:
            self.seen["refused"] += 1
        elif kind == KEEPALIVE:
            self.seen["echoes"] += 1
        elif kind == ACK:
            for (number,) in struct.iter_unpack("!I", datagram[4:]):
                if link.sent.pop(number, None) is not None:
                    self.seen["acked"] += 1
                    if len(link.sent) * 1000 > link.window:
                        link.window = min(MOST, link.window + 29)
                for each in self.links:
                    each.window = min(MOST, each.window + 1)
        elif self.peer:
            if kind == 0x8002 and len(datagram) >= 20:
                below = struct.unpack("!I", datagram[16:20])[0]
                for each in self.links:
                    each.sent = {n: t for n, t in each.sent.items() if (n - below) & 0x40000000 == 0}
            self.caller.sendto(datagram, self.peer)

    def from_caller(self, datagram, now):
        up = [l for l in self.links if l.up and now - l.heard < 4]
        if not up:
            return
        link = max(up, key=lambda l: l.window / (len(l.sent) + 1))
        if not datagram[0] & 0x80:
            self.seen["data"] += 1
            link.sent[struct.unpack("!I", datagram[:4])[0]] = now
        self.say(link, datagram, now)

    def housekeeping(self, now):
        for link in self.links:
            if link.up and now - link.heard >= 4:
                link.up, link.window, link.sent = False, LEAST, {}
            if not link.up:
                self.say(link, struct.pack("!H", REG2) + self.name, now)
            elif now - link.spoke >= 1:
                self.say(link, struct.pack("!H", KEEPALIVE), now)

    def run(self):
        by_socket, kept = {link.socket: link for link in self.links}, 0.0
        while True:
            ready, _, _ = select.select([self.caller, *by_socket], [], [], 0.2)
            now = time.monotonic()
            for found in ready:
                datagram, who = found.recvfrom(2048)
                if found is self.caller:
                    self.peer = who
                    self.from_caller(datagram, now)
                else:
                    self.from_far(by_socket[found], datagram, now)
            if now - kept >= 1:
                kept = now
                self.housekeeping(now)


if __name__ == "__main__":
    sender = Sender(address(sys.argv[1]), address(sys.argv[2]), sys.argv[3:])

    def end(*_):
        print(json.dumps(sender.seen), flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    print("sending", flush=True)
    sender.run()
