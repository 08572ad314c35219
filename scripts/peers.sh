#!/bin/bash
# peers.sh DIR: every srtla_send and srtla_rec that stands built below DIR against ours, both ways; a table
# at the end, non-zero if one was not served. docs/interop.md keeps the results.
exec python3 "$(dirname "$0")/line.py" peers "$@"
