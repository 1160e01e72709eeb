"""The simulation behind "Ten million images on 64 nodes" in data.md: `python docs/data_fleet.py`.

Each node reads its part of the shards of an epoch from object storage, a few ahead, while its GPUs use them up.
"""

import numpy as np

IMAGES, IMAGE_BYTES = 10_000_000, 150_000
NODES, IMAGES_PER_SECOND = 64, 8 * 25
# Of one connection to object storage: time to the first byte, rate, and how often a request is ten times slower.
LATENCY_SECONDS, BYTES_PER_SECOND, SLOW = 0.04, 60e6, 0.01


def epoch(shard_rows: int, ahead: int, seed: int = 0) -> tuple[float, float, float]:
    """Share of the epoch that nodes wait for storage, that they idle at its end, and gigabytes of cache a node."""
    chance = np.random.default_rng(seed)
    shards = -(-IMAGES // shard_rows)
    counts = np.full(NODES, shards // NODES) + (np.arange(NODES) < shards % NODES)
    use = shard_rows / IMAGES_PER_SECOND
    ends, waited = np.zeros(NODES), np.zeros(NODES)
    for node in range(NODES):
        service = LATENCY_SECONDS + shard_rows * IMAGE_BYTES / BYTES_PER_SECOND * chance.lognormal(0, 0.4, counts[node])
        service[chance.random(counts[node]) < SLOW] *= 10
        connections = np.zeros(ahead)
        done = np.zeros(counts[node])
        now = 0.0
        for i, seconds in enumerate(service):
            # A connection takes the next shard when it is free and a place in the cache is: one is in use.
            started = max(connections.min(), done[i - ahead] if i >= ahead else 0.0)
            connections[connections.argmin()] = arrived = started + seconds
            waited[node] += max(0.0, arrived - now) if i else 0.0
            now = max(now, arrived) + use
            done[i] = now
        ends[node] = now
    whole = ends.max()
    return (
        float(waited.mean() / whole),
        float((whole - ends).mean() / whole),
        (ahead + 1) * shard_rows * IMAGE_BYTES / 1e9,
    )


def main() -> None:
    print("shard rows  shard MB  ahead  waiting %  idle at the end %  cache GB  requests an epoch")
    for shard_rows in (64, 512, 4096, 16384):
        for ahead in (1, 2, 4, 8):
            waiting, idle, cache = epoch(shard_rows, ahead)
            size = shard_rows * IMAGE_BYTES / 1e6
            numbers = f"{100 * waiting:>11.2f}{100 * idle:>19.2f}{cache:>10.2f}{-(-IMAGES // shard_rows):>19,}"
            print(f"{shard_rows:>10}{size:>10.0f}{ahead:>7}{numbers}")


if __name__ == "__main__":
    main()
