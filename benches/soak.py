#!/usr/bin/env python3
"""Half an hour of faults: does the box grow, and does the programme stay whole?

    cargo build --release && python3 benches/soak.py [--minutes 30] [--livebox FILE] [--keep DIR]

A box on made-up devices, on loopback only: every minute one source is lost and comes back, the recording
is cut for the next speaker, and gateway and studio are ended and started again. Every ten seconds its
memory, threads and handles are read. Prints the slope of the memory after the fifth minute and what the
recordings hold; exits with 1 if memory grows by 1 MB in ten minutes, threads or handles grow, or the
recorded programme has a hole.
"""
import argparse
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# what the box's own unit sets for its memory
UNIT = (ROOT / "systemd/livebox.service").read_text()
MEMORY = dict(line.split("=", 2)[1:] for line in UNIT.splitlines() if line.startswith("Environment=MALLOC_"))
# second of each minute at which something is done
LOST, BACK, CUT, ENDED, AGAIN = 10, 14, 25, 40, 43
SETTLED = 5 * 60
SOURCES = ["camera", "mixer_a", "slides", "mixer_b"]


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def reading(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {
        "rss_kib": int(fields["VmRSS"].split()[0]),
        # of which the process's own, and not pages of files that it has read once
        "anon_kib": int(fields["RssAnon"].split()[0]),
        "threads": int(fields["Threads"]),
        "handles": len(os.listdir(f"/proc/{pid}/fd")),
    }


def slope(points):
    """Least squares, y a second."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    mx, my = statistics.fmean(xs), statistics.fmean(ys)
    return sum((x - mx) * (y - my) for x, y in points) / sum((x - mx) ** 2 for x in xs)


class House:
    """What runs beside the box, and is ended with the script."""

    def __init__(self, livebox, folder):
        self.livebox, self.folder = livebox, folder
        self.port, self.studio = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
        self.others = []

    def start(self, *command, log, **settings):
        with open(self.folder / log, "ab") as out:
            return subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                    env=os.environ | settings)

    def far_end(self):
        self.others = [
            self.start("srt-live-transmit", "-q", "-loglevel", "error",
                       f"srt://127.0.0.1:{self.studio}?mode=listener", "file:///dev/null", log="studio.log"),
            self.start(self.livebox, "gateway", "--listen", f"127.0.0.1:{self.port}",
                       "--to", f"127.0.0.1:{self.studio}", log="gateway.log"),
        ]

    def end(self, processes):
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def box(self, minutes):
        board, state = self.folder / "board", self.folder / "state"
        board.mkdir(), state.mkdir()
        profile = (ROOT / "board/sim/profile.toml").read_text().replace('page = "127.0.0.1:8620"\n', "")
        # outages are told in seconds since the start
        for at, name in enumerate(SOURCES):
            mine = [m for m in range(minutes) if m % len(SOURCES) == at]
            times = ", ".join(f'["{60 * m + LOST}s", "{60 * m + BACK}s"]' for m in mine)
            profile = profile.replace(f"[{name}]\n", f"[{name}]\noutages = [{times}]\n")
        (board / "profile.toml").write_text(profile)
        agenda = self.folder / "agenda.json"
        talks = [{"speaker": f"speaker {n}", "title": f"talk {n}"} for n in range(minutes + 2)]
        agenda.write_text(json.dumps(talks))
        (self.folder / "livebox.toml").write_text(
            f'language = "en"\nstate_dir = "{state}"\nsocket = "{self.folder}/livebox.sock"\n'
            f'[media]\nsize = "640x360"\nreserve = "200ms"\nbitrate_max = "2Mbps"\n'
            f'destination = "127.0.0.1:{self.port}"\n[event]\nagenda = "{agenda}"\n')
        return self.start(self.livebox, "run", "--board", str(board), "--config",
                          str(self.folder / "livebox.toml"), log="box.log", **MEMORY)

    def send(self, *words):
        done = subprocess.run([self.livebox, "send", *words, "--socket", f"{self.folder}/livebox.sock"],
                              capture_output=True, text=True, timeout=20)
        if done.returncode:
            print(f"  send {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.returncode == 0


def play(house, minutes):
    rows = []
    house.far_end()
    began = time.monotonic()
    box = house.box(minutes)
    try:
        while not (house.folder / "livebox.sock").exists() and time.monotonic() < began + 20:
            time.sleep(0.1)
        house.send("start")
        cuts = reconnects = 0
        next_look = next_event = 0
        while (now := time.monotonic() - began) < 60 * minutes:
            minute, second = divmod(now, 60)
            if box.poll() is not None:
                sys.exit(f"the box ended by itself; its last words are in {house.folder}/box.log")
            if now >= next_look:
                rows.append({"s": round(now), **reading(box.pid)})
                next_look = now + 10
            due = 3 * minute + sum(second >= at for at in (CUT, ENDED, AGAIN))
            while next_event < due:
                what = next_event % 3
                next_event += 1
                if what == 0:
                    cuts += house.send("next-speaker")
                elif what == 1:
                    house.end(house.others)
                else:
                    house.far_end()
                    reconnects += 1
            if int(now) % 60 == 0:
                row = rows[-1]
                print(f"  {int(minute):>2} min  {row['rss_kib'] / 1024:6.1f} MiB ({row['anon_kib'] / 1024:.1f} its own)  {row['threads']} threads  "
                      f"{row['handles']} handles", flush=True)
            time.sleep(1)
        house.send("stop")
        time.sleep(2)
    finally:
        house.end([box])
        house.end(house.others)
    return rows, cuts, reconnects


def holes(house):
    """Judges the joined recordings: what the box made, whatever became of the links."""
    joined = house.folder / "joined.ts"
    # numbers never come again, so names sort in the order of the day
    files = sorted((house.folder / "state/recordings").glob("*.ts"))
    with open(joined, "wb") as out:
        for file in files:
            out.write(file.read_bytes())
    begins = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=flags", "-of", "csv=p=0",
              "-read_intervals", "%+#1"]
    odd = [file.name for file in files
           if not subprocess.run([*begins, file], capture_output=True, text=True).stdout.startswith("K")]
    done = subprocess.run([house.livebox, "judge", str(joined), "--json"], capture_output=True, text=True)
    try:
        return len(files), odd, json.loads(done.stdout)
    except ValueError:
        return len(files), odd, {"error": done.stderr.strip()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--livebox", default=str(ROOT / "target/release/livebox"))
    parser.add_argument("--keep", help="a folder for logs and recordings; without it they are deleted")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(args.keep or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        house = House(args.livebox, folder)
        rows, cuts, reconnects = play(house, args.minutes)
        files, odd, report = holes(house)
        (folder / "rows.json").write_text(json.dumps(rows))
    settled = [row for row in rows if row["s"] >= SETTLED] or rows
    grows = slope([(row["s"], row["rss_kib"]) for row in settled]) * 600 / 1000
    half = len(settled) // 2
    rise = {key: statistics.median(r[key] for r in settled[half:]) - statistics.median(r[key] for r in settled[:half])
            for key in ("threads", "handles")}
    print(f"{args.minutes} sources lost, {cuts} cuts, {reconnects} reconnects")
    print(f"memory {settled[-1]['rss_kib'] / 1024:.1f} MiB, {grows:+.2f} MB in ten minutes after the fifth; "
          f"threads {rise['threads']:+.0f}, handles {rise['handles']:+.0f}")
    whole = {key: report.get(key) for key in ("pictures", "missing", "doubled", "pts_irregular", "ts_discontinuities", "error")}
    print(f"{files} recordings joined: {json.dumps(whole)[:300]}")
    print(f"{len(odd)} recordings do not begin with a key picture {odd[:5]}")
    bad = odd or grows >= 1 or any(value > 0 for value in rise.values()) or report.get("error")
    sys.exit(1 if bad or report.get("pts_irregular") or report.get("ts_discontinuities") else 0)


if __name__ == "__main__":
    main()
