#!/bin/bash
# tunnel.sh [--seconds 120] [--latency 0.5 1 2] [--listener …]: SRT through the tunnel to stock listeners;
# a table at the end, non-zero if a line was not as it must be. docs/interop.md says what is asked and how.
exec python3 "$(dirname "$0")/line.py" tunnel "$@"
