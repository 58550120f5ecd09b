#!/bin/sh
# Render a batch with GNU parallel: sh recipes/parallel.sh batch.yaml [--sshloginfile hosts --workdir .]
# Stopped runs (status 75) are tried three times. On other machines the folders must be at the same paths.
set -eu
batch="$1"
shift
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
dreamreel batch "$batch" --list | parallel --env OMP_NUM_THREADS --retries 3 --joblog parallel.log "$@"
