#!/bin/bash
# yocto-crates.sh: writes the list of crates, with their checksums, that the recipe fetches, from
# Cargo.lock. Run it after every change of Cargo.lock; tests/deploy.rs compares the two.
set -euo pipefail
cd "$(dirname "$0")/.."

awk '
  BEGIN {
    print "# Made by scripts/yocto-crates.sh from Cargo.lock; do not edit."
    print ""
    print "SRC_URI += \"\\"
  }
  /^\[\[package\]\]/ { name = version = "" }
  /^name = / { name = $3 }
  /^version = / { version = $3 }
  /^checksum = / {
    gsub(/"/, "", name); gsub(/"/, "", version)
    printf "    crate://crates.io/%s/%s \\\n", name, version
    sums = sums "SRC_URI[" name "-" version ".sha256sum] = " $3 "\n"
  }
  END { printf "\"\n\n%s", sums }
' Cargo.lock > yocto-layer/recipes-livebox/livebox/livebox-crates.inc
