#!/usr/bin/env bash
# A study on one GPU of this machine. Options go to `locbench run`; those given later win.
#   sweeps/launch/one_gpu.sh STUDY [OPTION…]
#   sweeps/launch/one_gpu.sh paa/table4_topk --profile mini --set data.root=/data/BCCD --gpus-per-worker 0.25
set -euo pipefail

if [ $# -lt 1 ]; then
    echo "usage: ${0##*/} STUDY [OPTION…]" >&2
    exit 2
fi
study=$1
shift

exec locbench run "$study" --workers 1 --gpus-per-worker 1 "$@"
