#!/bin/sh
# Render a batch on this machine, some runs at a time: sh recipes/xargs.sh batch.yaml 2
# One thread each, so that they do not slow each other. Run it again, and it goes on with what is not finished.
set -eu
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
dreamreel batch "$1" --list | tr '\n' '\0' | xargs -0 -r -P "${2:-2}" -n 1 sh -c
