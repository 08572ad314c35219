#!/bin/bash
# lipsync-clip.sh [FILE]: makes the clip of the lip-sync test, to be played in a loop from the slides laptop
# with its sound into the mixer; then `livebox send lipsync on`, and `livebox status` after half a minute.
#
# Forty white flashes of 83 ms on black, each with a beep of 1 kHz that begins with it, at 60 pictures a
# second (SIZE, 1280x720). The period of 83 pictures (1.3833 s) is no multiple of a picture at 24, 25, 30 or 50 a second.
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:-target/lipsync.mp4}
period=83 flash=5 rate=60 flashes=40
mkdir -p "$(dirname "$file")"
seconds=$(bc -l <<< "$period * $flashes / $rate")
ffmpeg -nostdin -v error -y \
  -f lavfi -i "color=black:size=${SIZE:-1280x720}:rate=$rate:duration=$seconds" \
  -f lavfi -i "aevalsrc='0.5*sin(2*PI*1000*mod(t,$period/$rate))*lt(mod(t,$period/$rate),0.06)':sample_rate=48000:duration=$seconds" \
  -filter_complex "[0:v]drawbox=color=white:thickness=fill:enable='lt(mod(n,$period),$flash)'[v];[1:a]pan=stereo|c0=c0|c1=c0[a]" \
  -map '[v]' -map '[a]' -c:v libx264 -preset veryfast -crf 20 -pix_fmt yuv420p -g "$period" -c:a aac -b:a 192k "$file"
echo "$file"
