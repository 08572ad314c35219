#!/usr/bin/env python3
"""Whole lines on real sockets, judged at their far end by stamps in the payloads.

    flow -> SRT caller -> sender -> emulated links -> receiver -> studio leg -> SRT listener -> flow

Everything runs on the loopback and ends with the script. `scripts/tunnel.sh`, `scripts/peers.sh`,
`scripts/sockets.sh` and `scripts/flood.sh` are its uses; each says with --help what it takes.
"""
import argparse
import concurrent.futures
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
# absolute, since processes are started in folders of their own
LIVEBOX = str(pathlib.Path(os.environ.get("LIVEBOX", ROOT / "target/release/livebox")).resolve())
# the listener waits so much longer than L; as src/bond/config.rs has it
BEYOND = 250

# Wired and two modems, of unlike delay, none of them clean: what the tunnel has to hide.
THREE = """
name = "three"
duration = "60s"
[[link]]
name = "wired"
rate = "20Mbps"
delay = "8ms"
loss = {loss}
{wired}
[[link]]
name = "lte1"
rate = "6Mbps"
delay = "30ms"
jitter = "3ms"
loss = {loss}
[[link]]
name = "lte2"
rate = "6Mbps"
delay = "60ms"
jitter = "3ms"
loss = {loss}
"""

# The way from the receiver to the studio's listener.
LEG = """
name = "studio leg"
duration = "60s"
[[link]]
name = "leg"
rate = "100Mbps"
delay = "10ms"
loss = {loss}
"""


# below those that the kernel gives to sockets without a port of their own, and of each run's own beginning: what is
# given out here nobody else takes before it is listened on
PORTS = itertools.cycle(random.sample(range(10_000, 30_000), 20_000))


def free_port():
    for port in PORTS:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bits(text):
    """A rate such as 4Mbps, in bit/s."""
    number, unit = re.fullmatch(r"([0-9.]+)(k|M)bps", text).groups()
    return float(number) * {"k": 1e3, "M": 1e6}[unit]


class Line:
    """Processes from the caller to the listener; everything ends when the `with` block does."""

    def __init__(self, name, latency, rate, dialect="srtla"):
        self.dialect = dialect
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"livebox-{name}-"))
        self.latency = latency  # of the SRT session, ms
        self.rate = rate  # bit/s
        self.running = {}
        self.out = free_port()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.running.values()):
            self.stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self, process):
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def start(self, name, *command):
        with open(self.folder / f"{name}.log", "w") as log:
            self.running[name] = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        return self.running[name]

    def said(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def scenario(self, name, text):
        file = self.folder / name
        file.write_text(text)
        return file

    # from the far end to the near

    def listener(self, kind, options=""):
        port = free_port()
        udp = f"udp://127.0.0.1:{self.out}"
        if kind == "srt-live-transmit":
            uri = f"srt://127.0.0.1:{port}?mode=listener&latency={self.latency}{options}"
            self.start("listener", kind, "-loglevel:error", uri, udp)
        elif kind == "ffmpeg":
            uri = f"srt://127.0.0.1:{port}?mode=listener&latency={self.latency * 1000}{options}"
            # raw, so that the payloads come out as they went in
            self.start("listener", kind, "-nostdin", "-loglevel", "error", "-f", "data", "-raw_packet_size", 1316, "-i", uri,
                       "-map", 0, "-c", "copy", "-f", "data", "-flush_packets", 1, udp + "?pkt_size=1316")
        else:
            uri = f"srt://127.0.0.1:{port}?mode=listener&latency={self.latency}{options}"
            self.start("listener", "gst-launch-1.0", "-q", "srtsrc", f"uri={uri}", f"latency={self.latency}", "!",
                       "udpsink", "host=127.0.0.1", f"port={self.out}", "sync=false", "async=false")
        return port

    def leg(self, to, loss):
        return self.emulator("leg", self.scenario("leg.toml", LEG.format(loss=loss)), to)

    def emulator(self, name, scenario, to, traces=None, seed=0):
        port = free_port()
        more = ["--traces", traces] if traces else []
        self.start(name, LIVEBOX, "sim", "--live", scenario, "--listen", f"127.0.0.1:{port}", "--to", f"127.0.0.1:{to}",
                   "--forever", "--wait", "--seed", seed, *more)
        return port

    def gateway(self, to):
        port = free_port()
        self.start("receiver", LIVEBOX, "gateway", "--listen", f"127.0.0.1:{port}", "--to", f"127.0.0.1:{to}",
                   *self.keys_of_gateway())
        return port

    def gateway_calling(self, to):
        """One that passes the stream `main` on to a listener."""
        port, self.metrics = free_port(), free_port()
        _, key, _, allowed = self.keys_of_gateway()
        settings = self.scenario("gateway.toml", f"""
            listen = "127.0.0.1:{port}"
            to = "127.0.0.1:9"
            metrics = "127.0.0.1:{self.metrics}"
            key_file = "{key}"
            allow_file = "{allowed}"
            [[destination]]
            name = "studio"
            to = "127.0.0.1:{to}"
            latency = "{self.latency}ms"
            """)
        self.start("receiver", LIVEBOX, "gateway", "--config", settings)
        return port

    def destination_figures(self):
        """What the gateway's libsrt gave up towards the listener, and what it sent again."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics") as page:
            text = page.read().decode()
        find = lambda what: int(float(re.findall(rf"livebox_destination_{what}_total{{.*}} (\S+)", text)[0]))
        return {"dropped": find("dropped"), "again": find("resent")}

    def bond(self, to, links, latency=None, ts=False):
        port, self.stats = free_port(), self.folder / "bond.json"
        entrance = ["--ts", f"main=127.0.0.1:{port}"] if ts else ["--listen", f"127.0.0.1:{port}"]
        uplinks = [word for n in range(1, links + 1) for word in ("--uplink", f"127.0.1.{n}")]
        more = ["--latency", f"{latency}ms"] if latency else []
        self.start("sender", LIVEBOX, "bond", *entrance, "--to", f"127.0.0.1:{to}", *uplinks,
                   "--stats-json", self.stats, *self.keys_of_bond(), *more)
        return port

    def public_key(self, whose):
        """Of the box or the gateway; made when it is asked for first."""
        file = self.folder / f"{whose}.key"
        what = "show" if file.exists() else "new"
        ran = subprocess.run([LIVEBOX, "keys", what, file], capture_output=True, text=True, check=True)
        return ran.stdout.split()[-1]

    def keys_of_gateway(self):
        if self.dialect != "native":
            return []
        self.public_key("gateway")
        allowed = self.scenario("allow", f"{self.public_key('box')} box\n")
        return ["--key", self.folder / "gateway.key", "--allow", allowed]

    def keys_of_bond(self):
        if self.dialect != "native":
            return []
        self.public_key("box")
        return ["--dialect", "native", "--key", self.folder / "box.key", "--peer", self.public_key("gateway")]

    def caller(self, to):
        port, self.caller_stats = free_port(), self.folder / "caller.json"
        kept = int(max(12e6, 2 * self.rate / 8 * 2 * self.latency / 1000))
        uri = (f"srt://127.0.0.1:{to}?mode=caller&latency={self.latency}&snddropdelay=-1&sndbuf={kept}"
               f"&fc={max(25600, kept // 1316)}")
        self.start("caller", "srt-live-transmit", "-loglevel:error", "-a:no", "-f", "-s", 200, "-pf", "json",
                   "-statsout", self.caller_stats, f"udp://127.0.0.1:{port}?rcvbuf=8388608", uri)
        return port

    def flow(self, to, seconds, warmup=3, within=None):
        """Runs stamped payloads through the line; what came of them."""
        ran = subprocess.run(
            [LIVEBOX, "flow", "--to", f"127.0.0.1:{to}", "--listen", f"127.0.0.1:{self.out}", "--json",
             "--rate", f"{int(self.rate)}bps", "--lasts", f"{seconds}s", "--warmup", f"{warmup}s",
             "--within", f"{within or self.latency + BEYOND}ms"],
            capture_output=True, text=True, timeout=seconds + warmup + 120, check=False)
        if not ran.stdout.strip():
            last = {name: self.said(name)[-400:] for name in self.running}
            raise RuntimeError(f"{ran.stderr.strip()}\n{json.dumps(last, indent=2)}")
        return json.loads(ran.stdout)

    def bond_figures(self):
        return json.loads(self.stats.read_text())

    def caller_figures(self):
        """What the caller's libsrt gave up by itself and what it sent again, of its last report."""
        text = self.caller_stats.read_text()
        find = lambda key: int((re.findall(rf'"{key}":\s*(\d+)', text.split('"send"')[-1]) or ["-1"])[0])
        return {"dropped": find("packetsDropped"), "again": find("packetsRetransmitted")}

    def lateness(self):
        """The emulator's own, p99 in ms; asked for when it has ended."""
        self.stop(self.running["links"])
        plain = re.sub(r"\x1b\[[0-9;]*m", "", self.said("links"))
        found = re.findall(r"own lateness.*?p99_ms=([0-9.]+)", plain)
        return float(found[-1]) if found else None

    def noticed(self):
        """Kills the listener; seconds until whoever calls it has noticed."""
        ended = lambda: len(re.findall(r"session(?: ended|:)", self.said("receiver")))
        calls, before = self.running.get("caller"), ended()
        self.running["listener"].kill()
        began = time.monotonic()
        there = lambda: calls.poll() is None if calls else ended() == before
        while there() and time.monotonic() < began + 10:
            time.sleep(0.02)
        return time.monotonic() - began


def table(head, rows):
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    for number, row in enumerate(rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |", flush=True)
        if number == 0:
            print("| " + " | ".join("-" * width for width in widths) + " |", flush=True)


def fixed(value, digits=1):
    return "none" if value is None else f"{value:.{digits}f}"


# SRT inside the tunnel

LISTENERS = ["srt-live-transmit", "ffmpeg", "gstreamer"]


def through_the_tunnel(kind, latency, loss, seconds, rate, dialect):
    """One listener at one L; the row, and whether all is as it must be."""
    # a `ts` stream has no session before the gateway, and one of the gateway's behind it
    ts = dialect == "ts"
    with Line("tunnel", BEYOND if ts else latency + BEYOND, rate, "native" if ts else dialect) as line:
        port = line.listener(kind)
        port = line.leg(port, loss)
        port = line.gateway_calling(port) if ts else line.gateway(port)
        port = line.emulator("links", line.scenario("links.toml", THREE.format(loss=0.005, wired="")), port)
        port = line.bond(port, 3, latency if ts else None, ts)
        time.sleep(2)
        if not ts:
            port = line.caller(port)
        flow = line.flow(port, seconds, within=latency + 2 * BEYOND)
        bond, caller = line.bond_figures(), line.destination_figures() if ts else line.caller_figures()
        feeding = subprocess.Popen(
            [LIVEBOX, "flow", "--to", f"127.0.0.1:{port}", "--listen", f"127.0.0.1:{free_port()}", "--rate", "1Mbps"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        noticed = line.noticed()
        line.stop(feeding)
        lateness = line.lateness()
    clean = loss == 0
    good = (flow["missing"] == flow["late"] == 0 and flow["drift_ms"] is not None and flow["drift_ms"] < 5
            and caller["dropped"] == 0 and (not clean or caller["again"] == 0) and noticed <= 6
            and abs(bond["latency_ms"] - latency) < 1)
    row = [kind, fixed(latency / 1000), "clean" if clean else f"{loss:.0%} lost", flow["made"], flow["missing"],
           flow["late"], caller["dropped"], caller["again"], bond["naks_swallowed"], bond["resent"],
           fixed(flow["offset_ms"]), fixed(flow["drift_ms"]), fixed(noticed), fixed(lateness, 2),
           fixed(flow["made_late_ms"]), f"{flow['hole']} at {flow['hole_at_s']:.1f} s", "good" if good else "BAD"]
    return row, good


def tunnel(args):
    """SRT inside the tunnel: stock listeners at several L, over a clean and a lossy studio leg."""
    cases = [(kind, int(l * 1000), loss) for loss in args.loss for l in args.latency for kind in args.listener]
    head = ["listener", "L s", "studio leg", "payloads", "missing", "late", "sender drops", "sent again by the caller",
            "NAKs swallowed", "resent by the engine", "offset ms", "it moved ms", "kill noticed s", "emulator p99 ms", "stall ms", "hole", ""]
    with concurrent.futures.ThreadPoolExecutor(args.at_once) as pool:
        done = [pool.submit(attempt, case[0], through_the_tunnel, *case, args.seconds, bits(args.rate), args.dialect) for case in cases]
        rows = [future.result() for future in done]
    return told(head, rows)


def attempt(name, run, *args):
    """A line that never opens is a row like any other."""
    try:
        return run(*args)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return [name, "BAD", str(error).splitlines()[0]], False


def told(head, rows):
    table(head, [row + [""] * (len(head) - len(row)) for row, _ in rows])
    bad = sum(not good for _, good in rows)
    print(f"{len(rows) - bad} good, {bad} bad")
    return bad == 0


# peers of the field

def commit(program):
    git = ["git", "-C", str(program.parent), "log", "-1", "--format=%h"]
    known = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return known or "unknown"


def helped(program):
    ran = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=5, check=False)
    return ran.stdout + ran.stderr


def with_a_peer(program, folder, seconds, rate):
    """Their receiver behind our sender, or their sender before our gateway."""
    receives = program.name == "srtla_rec"
    name = str(program.relative_to(folder))
    # the wired link falls silent for a while, as in the field
    scenario = THREE.format(loss=0.001, wired='down = [["12s", "18s"]]')
    with Line("peer", 2000, rate) as line:
        port = line.listener("srt-live-transmit", "&lossmaxttl=40")
        if receives:
            to, port = port, free_port()
            if "--srtla_port" in helped(program):
                line.start("receiver", program, "--srtla_port", port, "--srt_hostname", "127.0.0.1", "--srt_port", to)
            else:
                line.start("receiver", program, port, "127.0.0.1", to)
            # it asks the listener for a sign of life before it answers
            time.sleep(1.5)
        else:
            port = line.gateway(port)
        port = line.emulator("links", line.scenario("links.toml", scenario), port)
        if receives:
            port = line.bond(port, 3)
            time.sleep(2)
        else:
            to, port = port, free_port()
            ips = line.scenario("ips", "127.0.1.1\n127.0.1.2\n127.0.1.3\n")
            line.start("sender", program, port, "127.0.0.1", to, ips)
            time.sleep(6)
        flow = line.flow(line.caller(port), seconds, within=2400)
        joined = len(set(re.findall(r"link joined.*?(127\.0\.0\.1:\d+)", line.said("receiver"))))
        if receives:
            joined = sum(link["sent_packets"] > 100 for link in line.bond_figures()["links"])
        caller = line.caller_figures()
        lateness = line.lateness()
    # what a sender of the field loses when a link falls silent is its own; ours may lose nothing
    good = flow["in_time"] > 0.9 and joined >= 3 and (not receives or flow["missing"] == flow["late"] == 0)
    way = "our sender to it" if receives else "it to our gateway"
    row = [name, commit(program), way, joined, flow["made"], flow["missing"], flow["late"], fixed(flow["p50_ms"]),
           fixed(flow["max_ms"]), caller["again"], fixed(lateness, 2), "good" if good else "BAD"]
    return row, good


def peers(args):
    """Each srtla_send and srtla_rec below DIR against ours: 3 links, one of them silent for 6 s."""
    found = sorted(p for name in ("srtla_send", "srtla_rec") for p in args.folder.rglob(name)
                   if p.is_file() and os.access(p, os.X_OK) and "deps" not in p.parts)
    if not found:
        print(f"peers: no srtla_send or srtla_rec stands below {args.folder}; build one there first", file=sys.stderr)
        return False
    head = ["peer", "commit", "way", "links", "payloads", "missing", "late", "p50 ms", "max ms", "sent again by the caller",
            "emulator p99 ms", ""]
    folder = args.folder.resolve()
    rows = [attempt(str(p), with_a_peer, p.resolve(), folder, args.seconds, bits(args.rate)) for p in found]
    return told(head, rows)


# every scenario on real sockets

def of_the_simulator(scenario, latency, dialect, traces, seed):
    """The highest rate at which the simulator brings 99.99 % in time, bit/s."""
    more = ["--traces", traces] if traces else []
    ran = subprocess.run([LIVEBOX, "sim", "--limit", "--json", "--latency", f"{latency}ms", "--dialect", dialect,
                          "--seed", str(seed), *more, scenario], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stderr.strip())
    return json.loads(ran.stdout)["rate_mbit"] * 1e6


def known_rates(file):
    """What `livebox sim --limit --json` has found before, by scenario and dialect, bit/s."""
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file else []
    return {(line["name"], line["dialect"], line["latency_ms"]): line["rate_mbit"] * 1e6 for line in lines}


def on_sockets(scenario, args):
    latency = int(args.latency * 1000)
    limit = args.known.get((tomllib.loads(scenario.read_text())["name"], args.dialect, latency))
    limit = limit or of_the_simulator(scenario, latency, args.dialect, args.traces, args.seed)
    links = len(tomllib.loads(scenario.read_text())["link"])
    with Line("sockets", latency + BEYOND, args.share * limit, args.dialect) as line:
        port = line.listener("srt-live-transmit", "&rcvbuf=100000000&fc=80000")
        port = line.gateway(port)
        port = line.emulator("links", scenario.resolve(), port, args.traces, args.seed)
        port = line.bond(port, links, latency)
        time.sleep(2)
        port = line.caller(port)
        pids = {name: line.running[name].pid for name in ("sender", "receiver")}
        before, began = {name: cpu_seconds(pid) for name, pid in pids.items()}, time.monotonic()
        flow = line.flow(port, args.seconds)
        lasted = time.monotonic() - began
        cpu = {name: 100 * (cpu_seconds(pid) - before[name]) / lasted for name, pid in pids.items()}
        bond, caller = line.bond_figures(), line.caller_figures()
        lateness = line.lateness()
    good = flow["in_time"] >= 0.9999
    row = [scenario.stem, fixed(limit / 1e6, 2), fixed(line.rate / 1e6, 2), flow["made"], flow["missing"], flow["late"],
           f"{100 * flow['in_time']:.4f}", bond["dropped_late"], caller["dropped"], fixed(flow["drift_ms"]),
           fixed(cpu["sender"]), fixed(cpu["receiver"]), fixed(lateness, 2), "good" if good else "BAD"]
    return row, good


def sockets(args):
    """Every scenario on real sockets at a share of the simulator's rate."""
    scenarios = sorted(p for given in args.scenarios for p in ([given] if given.is_file() else given.glob("*.toml")))
    head = ["scenario", "simulator Mbit/s", "here Mbit/s", "payloads", "missing", "late", "in time %", "dropped late",
            "sender drops", "offset moved ms", "bond CPU %", "gateway CPU %", "emulator p99 ms", ""]
    args.known = known_rates(args.rates)

    def one(scenario):
        row = attempt(scenario.stem, on_sockets, scenario, args)
        print(*row[0], flush=True)
        return row

    with concurrent.futures.ThreadPoolExecutor(args.at_once) as pool:
        rows = list(pool.map(one, scenarios))
    print()
    return told(head, rows)


# a flood

def pour(port, rate, seconds):
    """Garbage at a port: noise of every length, half frames, whole frames of both wires for nobody."""
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
    for sock in socks:
        sock.connect(("127.0.0.1", port))
    noise = os.urandom(65536)
    garbage = [noise[at:at + length] for at, length in enumerate([0, 1, 2, 15, 16, 44, 100, 258, 700, 1316, 1400])]
    garbage += [b"\x90\x00" + noise[:36], b"\x92\x01" + noise[:256], b"\x92\x02", b"\x80\x05" + bytes(18), noise[:1360]]
    # sealed by nobody, openings without a sense, a later version: the native dialect's share
    garbage += [b"\xa1" + noise[:1375], b"\xa1\x01", b"\xb0\x01" + noise[:150], b"\xb2" + noise[:300], b"\xd0" + noise[:60]]
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        while sent < passed * rate:
            try:
                socks[sent % 8].send(garbage[sent % len(garbage)])
            except OSError:
                pass
            sent += 1
        time.sleep(0.0005)
    return sent / (time.monotonic() - began)


def flood(args):
    """A live group while garbage pours onto the gateway's port."""
    with Line("flood", 1000 + BEYOND, bits(args.rate), args.dialect) as line:
        port = line.listener("srt-live-transmit")
        public = line.gateway(port)
        port = line.emulator("links", line.scenario("links.toml", THREE.format(loss=0, wired="")), public)
        port = line.bond(port, 3)
        time.sleep(2)
        port = line.caller(port)
        pid, before = line.running["receiver"].pid, None
        with concurrent.futures.ProcessPoolExecutor(1) as pool:
            flowing = concurrent.futures.ThreadPoolExecutor(1).submit(line.flow, port, args.seconds + 4)
            time.sleep(5)
            before = cpu_seconds(pid)
            rate = pool.submit(pour, public, args.garbage, args.seconds).result()
            cpu = 100 * (cpu_seconds(pid) - before) / args.seconds
            flow = flowing.result()
        bond = line.bond_figures()
        lateness = line.lateness()
        line.stop(line.running["receiver"])
        counted = re.sub(r"\x1b\[[0-9;]*m", "", line.said("receiver")).strip().splitlines()[-1:]
    good = flow["missing"] == flow["late"] == 0
    head = ["garbage/s", "payloads", "missing", "late", "resent by the engine", "dropped late", "hole", "gateway CPU %", "emulator p99 ms", "stall ms", ""]
    row = [int(rate), flow["made"], flow["missing"], flow["late"], bond["resent"], bond["dropped_late"],
           f"{flow['hole']} at {flow['hole_at_s']:.1f} s", fixed(cpu), fixed(lateness, 2),
           fixed(flow["made_late_ms"]), "good" if good else "BAD"]
    done = told(head, [(row, good)])
    print(*counted)
    return done


def spoken(use):
    use.add_argument("--dialect", choices=["srtla", "native"], default="srtla")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    uses = parser.add_subparsers(required=True)

    use = uses.add_parser("tunnel", help=tunnel.__doc__)
    use.set_defaults(run=tunnel)
    use.add_argument("--seconds", type=int, default=120, help="how long each line is judged (120)")
    use.add_argument("--latency", type=float, nargs="+", default=[0.5, 1, 2], help="L, seconds")
    use.add_argument("--listener", nargs="+", choices=LISTENERS, default=LISTENERS)
    use.add_argument("--loss", type=float, nargs="+", default=[0, 0.01], help="share lost on the studio leg")
    use.add_argument("--rate", default="3Mbps")
    use.add_argument("--dialect", choices=["srtla", "native", "ts"], default="srtla",
                     help="ts: a native ts stream, from the gateway to the listener by a session of the gateway's own")
    use.add_argument("--at-once", type=int, default=3, help="lines at a time (3)")

    use = uses.add_parser("peers", help=peers.__doc__)
    use.set_defaults(run=peers)
    use.add_argument("folder", type=pathlib.Path, metavar="DIR")
    use.add_argument("--seconds", type=int, default=25)
    use.add_argument("--rate", default="4Mbps")

    use = uses.add_parser("sockets", help=sockets.__doc__)
    use.set_defaults(run=sockets)
    use.add_argument("scenarios", type=pathlib.Path, nargs="*", default=[ROOT / "tests/scenarios"], metavar="FILE|DIR")
    use.add_argument("--seconds", type=int, default=110)
    use.add_argument("--latency", type=float, default=1.0, help="L, seconds (1)")
    use.add_argument("--share", type=float, default=0.95, help="of the simulator's highest rate (0.95)")
    spoken(use)
    use.add_argument("--traces", type=pathlib.Path, help="where recorded traces are")
    use.add_argument("--seed", type=int, default=0)
    use.add_argument("--rates", type=pathlib.Path, metavar="FILE",
                     help="what `livebox sim --limit --json` found before; what is not in it is found first")
    use.add_argument("--at-once", type=int, default=1, help="lines at a time (1)")

    use = uses.add_parser("flood", help=flood.__doc__)
    use.set_defaults(run=flood)
    use.add_argument("--seconds", type=int, default=10)
    spoken(use)
    use.add_argument("--garbage", type=int, default=100_000, help="datagrams a second (100000)")
    use.add_argument("--rate", default="6Mbps")

    args = parser.parse_args()
    if not pathlib.Path(LIVEBOX).exists():
        parser.error(f"{LIVEBOX} is not built; run `cargo build --release`, or name another in LIVEBOX")
    # whoever asks this script to end, ends what it started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(0 if args.run(args) else 1)


if __name__ == "__main__":
    main()
