"""`with_gpu.py FOLDER COMMAND…`: runs the command with one GPU that no other container of this machine has taken.

All containers see all GPUs, and Docker does not deal them out. A lock on a file in a shared folder does; the kernel
takes it back when the container ends, however it ends.
"""

import fcntl
import os
import sys
from pathlib import Path

DEVICES = Path("/dev")


def main() -> None:
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    gpus = sorted(int(path.name[6:]) for path in DEVICES.glob("nvidia[0-9]*"))
    if not gpus:
        sys.exit("no GPU in this container: install the NVIDIA container toolkit, or start ray-worker-cpu instead")
    taken = next((gpu for gpu in gpus if lock(folder / str(gpu))), None)
    if taken is None:
        sys.exit(f"other workers have taken all {len(gpus)} GPUs: --scale ray-worker={len(gpus)} is the most")
    os.environ["CUDA_VISIBLE_DEVICES"] = str(taken)
    os.execvp(command[0], command)


def lock(path: Path) -> bool:
    """Whether this process, and the command that it becomes, now holds the file."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    os.set_inheritable(file, True)
    return True


if __name__ == "__main__":
    main()
