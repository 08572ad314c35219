#!/usr/bin/env bash
# make demo: a live programme over seven uplinks to a stock SRT server, with faults on the way.
#
# Starts, on loopback only: mosquitto, srt-live-transmit as the studio, `livebox gateway`, the link
# emulator with a scripted minute, and `livebox run` on board/sim. At the end it judges what the
# studio really received. Leaves its files under target/demo/ and no process behind.
# FOREVER=1 keeps everything running until Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/.."
forever=${FOREVER:-}
out=$PWD/target/demo
box=${LIVEBOX:-$PWD/target/release/livebox}
# Debian keeps mosquitto where an ordinary user does not look; the table reads the log lines of
# the default level
PATH=$PATH:/usr/sbin:/sbin
unset RUST_LOG
mqtt_port=18830 ws_port=18831 studio_port=18840 gateway_port=18841 emulator=127.0.1.100:18842

say() { printf '\033[1m%s\033[0m\n' "$*"; }
fail() { echo "demo: $*" >&2; exit 1; }

for port in $mqtt_port $ws_port $studio_port $gateway_port ${emulator#*:}; do
  if ss -Hlntu "sport = :$port" | grep -q .; then
    fail "port $port is in use here; see who holds it with: ss -lntup 'sport = :$port'"
  fi
done
rm -rf "$out"; mkdir -p "$out/board" "$out/state"

# Whatever is started here is ended here, youngest first, by its pid.
pids=() names=()
end() {
  local i
  # a second Ctrl-C must not leave half of them running
  trap '' INT TERM
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill -TERM "${pids[i]}" 2> /dev/null || true
    for _ in {1..80}; do kill -0 "${pids[i]}" 2> /dev/null || break; sleep 0.1; done
    kill -KILL "${pids[i]}" 2> /dev/null || true
    wait "${pids[i]}" 2> /dev/null || true
  done
  pids=() names=()
  trap 'exit 130' INT TERM
}
trap end EXIT
trap 'exit 130' INT TERM
# Each in a session of its own: the terminal's Ctrl-C reaches this script alone, which ends them in order.
start() { # start LOG COMMAND…
  local log=$1; shift
  setsid "$@" >> "$out/$log" 2>&1 < /dev/null & pids+=($!) names+=("${log%.*}")
}
alive() {
  local i
  for i in "${!pids[@]}"; do
    kill -0 "${pids[i]}" 2> /dev/null || fail "${names[i]} ended by itself: $(tail -n 3 "$out/${names[i]}".*)"
  done
}
up() { # up PORT: waits until somebody listens there
  for _ in {1..100}; do
    alive
    ! ss -Hlntu "sport = :$1" | grep -q . || return 0
    sleep 0.1
  done
  fail "nobody listens on port $1 after 10 s; the logs are in $out"
}

# The board without hardware, with a camera that is killed once and comes back.
sed '/^\[camera\]/a outages = [["46s", "50s"]]' board/sim/profile.toml > "$out/board/profile.toml"
"$box" keys new "$out/gateway.key" > "$out/peer"
echo "$("$box" keys new "$out/box.key") livebox" > "$out/boxes"
cat > "$out/gateway.toml" <<C
listen = "127.0.0.1:$gateway_port"
to = "127.0.0.1:$studio_port"
key_file = "$out/gateway.key"
allow_file = "$out/boxes"
[[destination]]
name = "studio"
to = "127.0.0.1:$studio_port"
C
cat > "$out/livebox.toml" <<C
name = "livebox"
language = "en"
state_dir = "$out/state"
socket = "$out/livebox.sock"
[media]
# a busy machine, and every picture is counted: threads may come late
reserve = "200ms"
destination = "$emulator"
bitrate_max = "4Mbps"
[bond]
key_file = "$out/box.key"
peer = "$(cat "$out/peer")"
[mqtt]
broker = "127.0.0.1:$mqtt_port"
C
printf '%s\n' "listener $mqtt_port 127.0.0.1" "listener $ws_port 127.0.0.1" "protocol websockets" \
  "allow_anonymous true" "persistence false" > "$out/mosquitto.conf"
export LIVEBOX_SOCKET=$out/livebox.sock

say "broker, studio, gateway, seven emulated links, the box: starting on loopback"
start mosquitto.log mosquitto -c "$out/mosquitto.conf"
# the programme is what it writes, so it has no log of its own
start studio.log bash -c 'exec srt-live-transmit -loglevel error "$0" file://con > "$1"' \
  "srt://127.0.0.1:$studio_port?mode=listener" "$out/received.ts"
start gateway.log "$box" gateway --config "$out/gateway.toml"
start links.log "$box" sim --live scripts/demo-links.toml --listen "$emulator" \
  --to "127.0.0.1:$gateway_port" ${forever:+--forever}
for port in $mqtt_port $ws_port $studio_port $gateway_port ${emulator#*:}; do up "$port"; done
start box.log "$box" run --board "$out/board" --config "$out/livebox.toml"
box_pid=${pids[-1]}

for _ in {1..100}; do "$box" status > /dev/null 2>&1 && break; sleep 0.1; done
"$box" status > /dev/null || fail "the box did not come up; its last words are in $out/box.log: $(tail -n 3 "$out/box.log")"
"$box" send start
start status.jsonl "$box" status --watch --json
say "what the broker keeps of the box"
mosquitto_sub -h 127.0.0.1 -p "$mqtt_port" -t livebox/v1/livebox/state -v -C 1 -W 5 ||
  fail "the broker has no livebox/v1/livebox/state; the box's last words are in $out/box.log"

if [[ -n $forever ]]; then
  say "on air until Ctrl-C. Watch it, in another terminal:"
  echo "  mosquitto_sub -h 127.0.0.1 -p $mqtt_port -t 'livebox/v1/#' -v"
  echo "  LIVEBOX_SOCKET=$LIVEBOX_SOCKET $box status --watch"
  echo "  the console: file://$PWD/console/index.html?broker=ws://127.0.0.1:$ws_port&device=livebox"
  while kill -0 "$box_pid" 2> /dev/null; do sleep 1; done
  fail "the box ended; its last words are in $out/box.log"
fi

say "on air for a minute: 16 s wired pulled, 34 s two modems lost, 46 s camera killed; each comes back"
until=$((SECONDS + 56))
while ((SECONDS < until)); do
  alive
  python3 scripts/demo-report.py progress "$out/status.jsonl"
  sleep 2
done
"$box" send stop
sleep 3
alive
end

say "what the studio received"
rc=0
"$box" judge "$out/received.ts" --outages 46s..50s --at-least 1200 --silence 0ms --json > "$out/judge.json" || rc=$?
python3 scripts/demo-report.py table "$out" || rc=$?
# pictures before the first key are no news
ffmpeg -loglevel fatal -y -i "$out/received.ts" -vf "fps=1/2,scale=240:-2,tile=6x5" -frames:v 1 "$out/contact-sheet.png"
echo
echo "programme:      $out/received.ts"
echo "contact sheet:  $out/contact-sheet.png"
echo "to keep it running:  make demo FOREVER=1"
echo "and then watch it:   mosquitto_sub -h 127.0.0.1 -p $mqtt_port -t 'livebox/v1/#' -v"
((rc == 0)) && say "nothing is lost" || say "something is lost: exit $rc"
exit "$rc"
