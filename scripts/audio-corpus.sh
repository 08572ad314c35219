#!/bin/bash
# audio-corpus.sh [FOLDER]: makes the sounds that the line detectors are judged by, into FOLDER
# (target/audio-corpus). Done once; about 300 MB, from Debian's packages alone, nothing of it is stored here.
#
#   speech-N.wav  six espeak-ng voices in four languages, one and a half minutes each, pauses of 0.3 s and more
#   music-N.wav   a minute each out of the middle of game music (asc-music, drascula-music: free packages)
#   room-N.wav    doors, steps, water, bells, keys, a room's murmur (minetest-data, oxygen-sounds, sound-theme-freedesktop)
#   film.wav      the film clip's sound, looped
set -euo pipefail
cd "$(dirname "$0")/.."
corpus=${1:-target/audio-corpus}
stamp="1 $(sha256sum "$0" | cut -d' ' -f1)"
[[ ! -e $corpus/made-of || $(< "$corpus/made-of") != "$stamp" ]] || exit 0
packages=(asc-music drascula-music minetest-data oxygen-sounds sound-theme-freedesktop)
# what every file becomes: 48 kHz, two channels, 16 bits
as_house=(-ar 48000 -ac 2 -c:a pcm_s16le)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$corpus"; mkdir -p "$corpus"

english='Good morning, and welcome to the second day of the congress. Before we begin, a few words about the programme. The first session deals with imaging of the heart. Questions are taken at the end of each talk, not before. Please switch your telephones off. The next speaker has travelled far to be with us today. Thank you, chairman. Let me show you the first slide. We followed three hundred patients over four years. The difference was small, but it was there in every group. What does this mean for our daily work? I think that it means patience. Sometimes nothing is the best thing to do.'
chinese='各位专家，各位同道，大家上午好。欢迎参加今天的学术会议。首先请允许我介绍一下今天的日程安排。第一个环节是心脏影像。请大家把手机调到静音。下面有请第一位讲者。谢谢主席。请看第一张幻灯片。我们随访了三百名患者，历时四年。两组之间的差异不大，但是每一组都存在。这对我们的日常工作意味着什么？我认为，意味着耐心。'
german='Guten Morgen, meine Damen und Herren. Wir beginnen mit dem ersten Vortrag des Tages. Bitte stellen Sie Ihre Fragen erst am Ende. Die Ergebnisse waren in allen Gruppen gleich. Das hat uns überrascht. Vielleicht lag es an der Auswahl. Ich danke Ihnen für Ihre Aufmerksamkeit.'
french='Bonjour à toutes et à tous. Nous allons commencer la séance. La première présentation porte sur le coeur. Les résultats sont clairs dans chaque groupe. Je vous remercie de votre attention, et je prendrai vos questions.'
number=0
speak() { # VOICE SPEED PITCH TEXT
  number=$((number + 1))
  espeak-ng -v "$1" -s "$2" -p "$3" -g 8 --stdout "$4" |
    ffmpeg -v error -y -i - "${as_house[@]}" "$work/said.wav"
  ffmpeg -nostdin -v error -y -stream_loop -1 -i "$work/said.wav" -t 90 "${as_house[@]}" "$corpus/speech-$number.wav"
}
speak en 150 40 "$english"
speak en-us+f3 165 60 "$english"
speak cmn 160 45 "$chinese"
speak cmn+f2 150 60 "$chinese"
speak de+m3 140 30 "$german"
speak fr+f4 150 65 "$french"

(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}")
for deb in "$work"/*.deb; do dpkg -x "$deb" "$work/files"; done

number=0
while read -r piece; do
  seconds=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$piece" < /dev/null | cut -d. -f1)
  [[ $seconds =~ ^[0-9]+$ ]] && ((seconds >= 70)) || continue
  number=$((number + 1))
  ffmpeg -nostdin -v error -y -ss 5 -i "$piece" -t 60 "${as_house[@]}" "$corpus/music-$number.wav"
  ((number < 14)) || break
done < <(find "$work/files" \( -path '*asc*' -o -path '*drascula*' \) -type f \( -name '*.mp3' -o -name '*.ogg' \) | sort)
((number >= 4)) || { echo "audio-corpus.sh: only $number pieces of music in ${packages[*]}" >&2; exit 1; }

# short sounds one after the other, each padded, so that steps and doors come with what is between them
number=0
for folder in minetest oxygen freedesktop; do
  list=$work/$folder.txt
  find "$work/files" -path "*$folder*" -type f \( -name '*.ogg' -o -name '*.oga' -o -name '*.wav' \) | sort > "$list"
  [[ -s $list ]] || continue
  number=$((number + 1))
  part=0
  : > "$work/parts.txt"
  while read -r sound; do
    part=$((part + 1))
    ffmpeg -nostdin -v error -y -i "$sound" -af 'apad=pad_dur=0.4' "${as_house[@]}" "$work/part-$part.wav" || continue
    echo "file '$work/part-$part.wav'" >> "$work/parts.txt"
  done < "$list"
  ffmpeg -nostdin -v error -y -f concat -safe 0 -i "$work/parts.txt" -t 90 "${as_house[@]}" "$corpus/room-$number.wav"
done
# a full room: all voices at once, far away
ffmpeg -nostdin -v error -y $(printf -- '-i %s ' "$corpus"/speech-?.wav) -filter_complex \
  "amix=inputs=6:normalize=0,lowpass=f=2500,aecho=0.8:0.7:37|53|71|97:0.5|0.4|0.35|0.3,volume=-30dB" "${as_house[@]}" "$corpus/room-9.wav"

[[ -s target/test-media/bigbuckbunny.mp4 ]] || scripts/test-media.sh
ffmpeg -nostdin -v error -y -stream_loop -1 -i target/test-media/bigbuckbunny.mp4 -vn -t 60 "${as_house[@]}" "$corpus/film.wav"
echo "$stamp" > "$corpus/made-of"
ls "$corpus" | tr '\n' ' '; du -sh "$corpus" | cut -f1
