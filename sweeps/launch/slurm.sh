#!/usr/bin/env bash
# A study on nodes of a Slurm cluster, which form a Ray cluster for as long as the job lasts.
#   sbatch [SBATCH OPTION…] sweeps/launch/slurm.sh STUDY [OPTION…]
#   sbatch --nodes=4 --time=48:00:00 sweeps/launch/slurm.sh paa/table3 --set data.root=/shared/coco
# Submit from a folder that all nodes reach, with locbench on the PATH. Each training runs on the GPUs of a node, as
# many trainings at once as nodes. Options go to `locbench run`; later ones win. Requeued, the job goes on.
# HEAD_IP: the address of the first node, where other nodes do not reach the one that it names first.
#SBATCH --job-name=locbench
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail

if [ $# -lt 1 ] || [ -z "${SLURM_JOB_ID:-}" ]; then
    echo "usage: sbatch [SBATCH OPTION…] slurm.sh STUDY [OPTION…]" >&2
    exit 2
fi
study=$1
shift
nodes=$SLURM_JOB_NUM_NODES
gpus=${SLURM_GPUS_ON_NODE:-0}
cpus=${SLURM_CPUS_PER_TASK:-1}

# This part runs on the first node. A port of its own for each job; nodes may take minutes to start Python.
read -r first_ip _ < <(hostname -I)
address="${HEAD_IP:-$first_ip}:$((20000 + SLURM_JOB_ID % 10000))"
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT="${RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT:-600}"
# Whoever reaches the port could else run what they like.
export RAY_AUTH_MODE="${RAY_AUTH_MODE:-token}"
export RAY_AUTH_TOKEN="${RAY_AUTH_TOKEN:-$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')}"

# A step does not inherit --cpus-per-task. Symmetric-run starts Ray on all nodes and the command on the first.
srun --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 --cpus-per-task="$cpus" \
    ray symmetric-run --address "$address" --min-nodes "$nodes" --num-cpus="$cpus" --num-gpus="$gpus" -- \
    locbench run "$study" --address "$address" --workers "$((gpus > 0 ? gpus : 1))" \
    --gpus-per-worker "$((gpus > 0 ? 1 : 0))" --storage "${LOCBENCH_STORAGE:-$PWD/runs}" "$@"
