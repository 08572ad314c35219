#!/bin/bash
# sockets.sh [FILE|DIR…] [--traces DIR]: every scenario on real sockets at 95 % of the simulator's rate; a
# table at the end, non-zero if less than 99.99 % came in time.
exec python3 "$(dirname "$0")/line.py" sockets "$@"
