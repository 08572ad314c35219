#!/bin/bash
# flood.sh [--seconds 10] [--garbage 100000]: a live group while garbage pours onto the gateway's port; what it
# lost, and what the gateway took of a core meanwhile.
exec python3 "$(dirname "$0")/line.py" flood "$@"
