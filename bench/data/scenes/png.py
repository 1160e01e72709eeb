"""PNG with stored blocks: bytes that no zlib version changes, and a decoder that only copies."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

BLOCK = 65535


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """An RGB picture [H, W, 3] as PNG."""
    height, width, _ = pixels.shape
    lines = np.zeros((height, 1 + 3 * width), np.uint8)
    lines[:, 1:] = pixels.reshape(height, 3 * width)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"".join(
        _chunk(kind, data) for kind, data in ((b"IHDR", header), (b"IDAT", _stored(lines.tobytes())), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + body


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _stored(data: bytes) -> bytes:
    """A zlib stream of stored blocks."""
    pieces = [b"\x78\x01"]
    for start in range(0, len(data), BLOCK):
        block = data[start : start + BLOCK]
        last = start + BLOCK >= len(data)
        pieces += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    pieces.append(struct.pack(">I", zlib.adler32(data)))
    return b"".join(pieces)
