#!/bin/bash
# audio-corpus.sh [--small] [FOLDER]: makes the sounds that the line detectors are judged by, into FOLDER
# (target/audio-corpus). Done once; about 500 MB, from Debian's packages alone, nothing of it is stored here.
#
#   speech-NN.wav  espeak-ng voices in seven languages, one and a half minutes each, pauses of 0.3 s and more
#   music-NN.wav   a minute each out of the middle of game music (asc-music, drascula-music: free packages)
#   room-N.wav     doors, steps, water, bells, keys, a room's murmur (minetest-data, oxygen-sounds, sound-theme-freedesktop)
#   film.wav       the film clip's sound, looped
#
# Voices 1 to 6 and the first fourteen pieces of music are for tuning; voices 7 to 12 and the other
# pieces are for judging what was tuned. With --small (target/audio-corpus-small, 90 MB) four voices,
# three pieces and one folder of room sounds, half a minute of each: what `make test` takes.
set -euo pipefail
cd "$(dirname "$0")/.."
small=
[[ ${1:-} != --small ]] || { small=yes; shift; }
corpus=${1:-target/audio-corpus${small:+-small}}
stamp="2 $(sha256sum "$0" | cut -d' ' -f1)"
[[ ! -e $corpus/made-of || $(< "$corpus/made-of") != "$stamp" ]] || exit 0
packages=(asc-music drascula-music minetest-data oxygen-sounds sound-theme-freedesktop)
seconds=90 voices=12 pieces=25 rooms=(minetest oxygen freedesktop)
if [[ $small ]]; then
  packages=(asc-music sound-theme-freedesktop)
  seconds=40 voices=4 pieces=3 rooms=(freedesktop)
fi
# what every file becomes: 48 kHz, two channels, 16 bits
as_house=(-ar 48000 -ac 2 -c:a pcm_s16le)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$corpus"; mkdir -p "$corpus"

english='Good morning, and welcome to the second day of the congress. Before we begin, a few words about the programme. The first session deals with imaging of the heart. Questions are taken at the end of each talk, not before. Please switch your telephones off. The next speaker has travelled far to be with us today. Thank you, chairman. Let me show you the first slide. We followed three hundred patients over four years. The difference was small, but it was there in every group. What does this mean for our daily work? I think that it means patience. Sometimes nothing is the best thing to do.'
chinese='各位专家，各位同道，大家上午好。欢迎参加今天的学术会议。首先请允许我介绍一下今天的日程安排。第一个环节是心脏影像。请大家把手机调到静音。下面有请第一位讲者。谢谢主席。请看第一张幻灯片。我们随访了三百名患者，历时四年。两组之间的差异不大，但是每一组都存在。这对我们的日常工作意味着什么？我认为，意味着耐心。'
german='Guten Morgen, meine Damen und Herren. Wir beginnen mit dem ersten Vortrag des Tages. Bitte stellen Sie Ihre Fragen erst am Ende. Die Ergebnisse waren in allen Gruppen gleich. Das hat uns überrascht. Vielleicht lag es an der Auswahl. Ich danke Ihnen für Ihre Aufmerksamkeit.'
french='Bonjour à toutes et à tous. Nous allons commencer la séance. La première présentation porte sur le coeur. Les résultats sont clairs dans chaque groupe. Je vous remercie de votre attention, et je prendrai vos questions.'
spanish='Buenos días a todos. Bienvenidos a la segunda jornada. Vamos a empezar con la sesión de la mañana. Les ruego que apaguen sus teléfonos. Los resultados se ven en esta diapositiva. No hubo diferencias entre los grupos. Muchas gracias por su atención.'
italian='Buongiorno e benvenuti. Cominciamo con la prima relazione della giornata. Le domande alla fine, per favore. In questa immagine si vede il cuore prima e dopo la cura. I dati sono pochi, ma chiari. Grazie a tutti.'
portuguese='Bom dia a todos. Vamos começar a sessão. O próximo orador veio de longe para estar connosco. Vejam agora o primeiro gráfico. A diferença é pequena, mas existe em todos os grupos. Obrigado pela vossa atenção.'
number=0
speak() { # VOICE SPEED PITCH TEXT
  ((10#$number < voices)) || return 0
  printf -v number '%02d' $((10#$number + 1))
  espeak-ng -v "$1" -s "$2" -p "$3" -g 8 --stdout "$4" |
    ffmpeg -v error -y -i - "${as_house[@]}" "$work/said.wav"
  ffmpeg -nostdin -v error -y -stream_loop -1 -i "$work/said.wav" -t "$seconds" "${as_house[@]}" "$corpus/speech-$number.wav"
}
speak en 150 40 "$english"
speak en-us+f3 165 60 "$english"
speak cmn 160 45 "$chinese"
speak cmn+f2 150 60 "$chinese"
speak de+m3 140 30 "$german"
speak fr+f4 150 65 "$french"
speak en-gb-scotland+m7 155 35 "$english"
speak cmn+m4 170 40 "$chinese"
speak es+f1 160 55 "$spanish"
speak it+m2 150 45 "$italian"
speak pt-br+f5 155 60 "$portuguese"
speak de+f3 160 60 "$german"

(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}")
for deb in "$work"/*.deb; do dpkg -x "$deb" "$work/files"; done

number=0
while read -r piece; do
  long=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$piece" < /dev/null | cut -d. -f1)
  [[ $long =~ ^[0-9]+$ ]] && ((long >= 70)) || continue
  printf -v number '%02d' $((10#$number + 1))
  ffmpeg -nostdin -v error -y -ss 5 -i "$piece" -t $((seconds * 2 / 3)) "${as_house[@]}" "$corpus/music-$number.wav"
  ((10#$number < pieces)) || break
done < <(find "$work/files" \( -path '*asc*' -o -path '*drascula*' \) -type f \( -name '*.mp3' -o -name '*.ogg' \) | sort)
((10#$number == pieces)) || { echo "audio-corpus.sh: only $number pieces of music in ${packages[*]}" >&2; exit 1; }

# short sounds one after the other, each padded, so that steps and doors come with what is between them
number=0
for folder in "${rooms[@]}"; do
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
  ffmpeg -nostdin -v error -y -f concat -safe 0 -i "$work/parts.txt" -t "$seconds" "${as_house[@]}" "$corpus/room-$number.wav"
done
# a full room: all voices at once, far away
ffmpeg -nostdin -v error -y $(printf -- '-i %s ' "$corpus"/speech-*.wav) -filter_complex \
  "amix=inputs=$voices:normalize=0,lowpass=f=2500,aecho=0.8:0.7:37|53|71|97:0.5|0.4|0.35|0.3,volume=-30dB" "${as_house[@]}" "$corpus/room-9.wav"

[[ -s target/test-media/bigbuckbunny.mp4 ]] || scripts/test-media.sh
ffmpeg -nostdin -v error -y -stream_loop -1 -i target/test-media/bigbuckbunny.mp4 -vn -t $((seconds * 2 / 3)) "${as_house[@]}" "$corpus/film.wav"
echo "$stamp" > "$corpus/made-of"
ls "$corpus" | tr '\n' ' '; du -sh "$corpus" | cut -f1
