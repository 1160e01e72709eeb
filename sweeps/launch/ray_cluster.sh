#!/usr/bin/env bash
# A study on a Ray cluster that is there. Options go to `locbench submit` or `locbench run`.
# From anywhere, as a job that goes on without this machine (the address of the dashboard):
#   sweeps/launch/ray_cluster.sh https://HEAD:8265 STUDY [OPTION…]
# On a machine of the cluster (the address that nodes join):
#   sweeps/launch/ray_cluster.sh HEAD:6379 STUDY [OPTION…]
# What nodes write goes to --storage, or LOCBENCH_STORAGE: a folder that all reach under the same path.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: ${0##*/} ADDRESS STUDY [OPTION…]" >&2
    exit 2
fi
address=$1 study=$2
shift 2

case $address in
    http://* | https://*) exec locbench submit "$study" --address "$address" "$@" ;;
    *) exec locbench run "$study" --address "$address" "$@" ;;
esac
