#!/usr/bin/env bash
# A study on a machine of eight GPUs: each training runs on all of them. Options go to `locbench run`; later ones win.
#   sweeps/launch/one_node.sh STUDY [OPTION…]
#   GPUS=4 sweeps/launch/one_node.sh paa/table1_right --set data.root=/data/coco
# Eight trainings at once, each on a GPU of its own:
#   sweeps/launch/one_node.sh paa/table1_right --workers 1
set -euo pipefail

if [ $# -lt 1 ]; then
    echo "usage: [GPUS=8] ${0##*/} STUDY [OPTION…]" >&2
    exit 2
fi
study=$1
shift

exec locbench run "$study" --workers "${GPUS:-8}" --gpus-per-worker 1 "$@"
