#!/bin/bash
# needs.sh build|demo|test: installs what is missing on Debian 12, asks nothing, and is done at once
# when everything is there. demo includes build; test includes demo. A Rust toolchain is expected.
set -euo pipefail

build=(
  make gcc libc6-dev linux-libc-dev pkg-config git ca-certificates
  clang libclang-dev                # bindgen, for V4L2
  libasound2-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
)
demo=(
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-alsa gstreamer1.0-x
  fontconfig mosquitto mosquitto-clients srt-tools ffmpeg iproute2 procps python3
)
test=(
  busybox-static kmod cpio xz-utils           # the virtual box's initramfs
  alsa-utils v4l-utils i2c-tools gpiod        # its cameras, mixers and front
  systemd systemd-container dbus udev         # the unit files, started for real
  chromium espeak-ng python3-pip openssl
)

packages=("${build[@]}")
case ${1:-} in
  build) ;;
  demo) packages+=("${demo[@]}") ;;
  test) packages+=("${demo[@]}" "${test[@]}") ;;
  *) sed -n '2,3s/^# \?//p' "$0" >&2; exit 2 ;;
esac

if [[ $1 != build ]]; then
  # any font with Chinese will do
  [[ -n $(fc-list :lang=zh 2> /dev/null) ]] || packages+=(fonts-wqy-zenhei)
fi
if [[ $1 = test ]]; then
  command -v node > /dev/null || packages+=(nodejs)
  command -v npm > /dev/null || packages+=(npm)
  python3 -c 'import ensurepip' 2> /dev/null || packages+=(python3-venv)
fi

installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${packages[@]}" 2> /dev/null | awk '$2 == "installed" { print $1 }' || true)
missing=()
for package in "${packages[@]}"; do
  grep -qx "$package" <<< "$installed" || missing+=("$package")
done
qemu=0
[[ $1 != test || $(uname -m) != x86_64 ]] || command -v qemu-system-x86_64 > /dev/null || qemu=1

as_root() { if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi; }
apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" < /dev/null; }
bring() { apt install -y --no-install-recommends "$@"; }

if ((${#missing[@]} + qemu)); then
  if ((EUID)) && ! sudo -n true 2> /dev/null; then
    echo "needs.sh: missing: ${missing[*]}; run \`sudo $0 $1\` once, it takes root to install them" >&2
    exit 1
  fi
  echo "needs.sh: installing ${missing[*]}$( ((qemu)) && echo ' qemu-system-x86')"
  # services of what is installed stay off: demo and tests start their own, on their own ports
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" > /dev/null
    as_root chmod 755 "$policy"
  fi
  apt update
  ((${#missing[@]} == 0)) || bring "${missing[@]}"
  if ((qemu)) && ! bring qemu-system-x86; then
    # a qemu-utils from backports refuses the older qemu-system-x86; then both come from there, over
    # the mirror that apt uses already
    echo "needs.sh: taking QEMU from bookworm-backports"
    sources=/etc/apt/sources.list.d
    if [[ -e $sources/debian.sources ]]; then
      awk -v RS= 'NR == 1' $sources/debian.sources | sed 's/^Suites:.*/Suites: bookworm-backports/' |
        as_root tee $sources/backports.sources > /dev/null
    else
      awk '$1 == "deb" && $0 ~ / bookworm main/ { sub(/ bookworm /, " bookworm-backports "); print; exit }' /etc/apt/sources.list |
        as_root tee $sources/backports.list > /dev/null
    fi
    apt update
    # without it the virtual box says loudly that it is skipped
    bring -t bookworm-backports qemu-system-x86 || echo "needs.sh: QEMU could not be installed" >&2
  fi
fi

if [[ $1 = test ]]; then
  for part in fmt clippy; do
    cargo "$part" --version > /dev/null 2>&1 || rustup component add "${part/fmt/rustfmt}" ||
      { echo "needs.sh: \`cargo $part\` is missing from the Rust toolchain; add it" >&2; exit 1; }
  done
fi
