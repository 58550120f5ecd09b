#!/bin/sh
# Render a batch on OpenCue: sh recipes/opencue.sh batch.yaml SHOW
# cuecmd (`pip install opencue-cuecmd`) makes a frame of each line of a file, which must stay where it is and be seen by
# all machines. A frame that was stopped (status 75) goes on where it was when OpenCue retries it.
set -eu
runs="$(pwd)/$(basename "$1" .yaml)-runs.txt"
dreamreel batch "$1" --list > "$runs"
cuecmd "$runs" --show "${2:-dreamreel}" --job-name "$(basename "$1" .yaml)" --cores "${OMP_NUM_THREADS:-1}" --memory 4
