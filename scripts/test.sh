#!/bin/bash
# test.sh [SUITE…]: runs the suites (all of them if none is named) and ends with `N passed, N failed`,
# alone on the last line. A suite that cannot run here says so with its reason before that line.
# What each suite printed is kept in target/test-logs/.
set -uo pipefail
cd "$(dirname "$0")/.."
logs=target/test-logs
mkdir -p "$logs"
# a test that cannot run here writes its reason there, since cargo shows nothing of a test that passed
export LIVEBOX_SKIPPED=$PWD/$logs/skipped
: > "$LIVEBOX_SKIPPED"
all=(format build clippy clippy-plain tests docs licences recipe systemd demo on-air virtual-box)
wanted=("$@")
((${#wanted[@]})) || wanted=("${all[@]}")

format() { cargo fmt --check; }
build() { cargo build --locked; }
clippy() { cargo clippy --locked --all-targets -- -D warnings; }
# without GStreamer, as the cloud side is built
clippy-plain() { cargo clippy --locked --all-targets --no-default-features -- -D warnings; }
tests() { scripts/test-media.sh && scripts/audio-corpus.sh --small && cargo test --locked --no-fail-fast; }
docs() { RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps; }
licences() {
  local tools
  tools=$(scripts/tools.sh) || return 1
  "$tools/cargo-deny" --log-level error --locked check licenses sources bans
}
recipe() {
  local tools
  tools=$(scripts/tools.sh) || return 1
  find yocto-layer -name '*.bb' -o -name '*.bbappend' -o -name '*.inc' -o -name layer.conf | sort |
    xargs "$tools/oelint-adv" --release wrynose --quiet
}
systemd() { tests/systemd/run; }
# what a newcomer sees first, with the binary that the tests built
demo() { LIVEBOX=$PWD/target/debug/livebox scripts/demo.sh; }
virtual-box() {
  tests/virtual-box/run && tests/virtual-box/run tests/virtual-box/hdmi/story
}
# two lines of speech through the whole box, in real time
on-air() { tests/on-air/run; }
# not among all, since it takes six minutes: the same from two sound cards in the guest, by a clock that counts instructions
lines() { tests/virtual-box/run tests/virtual-box/lines/story; }

passed=0 failed=0 skipped=() broken=()
for suite in "${wanted[@]}"; do
  echo "=== $suite"
  from=$SECONDS
  "$suite" < /dev/null 2>&1 | tee "$logs/$suite.log"
  ended=${PIPESTATUS[0]}
  # what the suite counted itself: cargo's result lines, or lines that begin with ok or FAILED
  good=$(awk '/^test result:/ { n += $4; seen = 1 } /^ok / { n++ } END { print n + 0 }' "$logs/$suite.log")
  bad=$(awk '/^test result:/ { n += $6 } /^FAILED / { n++ } END { print n + 0 }' "$logs/$suite.log")
  case $ended in
    0) ((good)) || good=1 ;;
    77) skipped+=("$(grep '^SKIPPED' "$logs/$suite.log" | tail -n 1)") good=0 bad=0 ;;
    *) ((bad)) || bad=1; broken+=("$suite") ;;
  esac
  passed=$((passed + good)) failed=$((failed + bad))
  echo "=== $suite: $good passed, $bad failed in $((SECONDS - from)) s"
  # nothing below makes sense without a binary
  [[ $suite != build || $ended = 0 ]] || break
done

echo
for line in "${skipped[@]}"; do echo "$line"; done
cat "$LIVEBOX_SKIPPED"
((${#broken[@]} == 0)) || echo "failed suites: ${broken[*]} (see $logs/)"
echo "$passed passed, $failed failed"
((failed == 0))
