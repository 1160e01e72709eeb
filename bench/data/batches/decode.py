"""Encoded images to uint8 RGB tensors, upright."""

import io

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor

from bench.errors import UserError


def decode(data: "bytes | pa.Buffer", orientation: int = 1, where: str = "") -> Tensor:
    """[3, H, W] uint8. Gray, palette, CMYK and 16-bit images become RGB of 8 bits; an alpha channel is left out."""
    view = memoryview(data)
    try:
        # Through DLPack, because bytes and mapped files are read-only and torch warns of that elsewhere.
        pixels = _decode(torch.from_dlpack(np.frombuffer(view, np.uint8)), view)
    except (RuntimeError, OSError, ValueError, SyntaxError) as error:
        raise UserError(
            f"image cannot be decoded ({_first_line(error)})",
            where=where,
            remedy="`locbench data verify` lists all such images",
        ) from error
    return upright(pixels, orientation)


def upright(pixels: Tensor, orientation: int) -> Tensor:
    """Applies an EXIF orientation (1 to 8)."""
    if orientation >= 5:
        pixels = pixels.transpose(-1, -2)
    sides = {2: (-1,), 3: (-1, -2), 4: (-2,), 6: (-1,), 7: (-1, -2), 8: (-2,)}.get(orientation)
    return pixels.flip(sides) if sides else pixels


def _decode(encoded: Tensor, view: memoryview) -> Tensor:
    from torchvision.io import ImageReadMode, decode_image, decode_jpeg

    start = bytes(view[:4])
    if start.startswith(b"\xff\xd8"):
        return decode_jpeg(encoded, mode=ImageReadMode.RGB)
    if start.startswith(b"BM") or start in (b"II*\0", b"MM\0*"):
        return _by_pillow(view)
    pixels = decode_image(encoded, mode=ImageReadMode.RGB)
    if pixels.dtype == torch.uint16:
        pixels = (pixels.to(torch.int32) >> 8).to(torch.uint8)
    return pixels[0] if pixels.ndim == 4 else pixels


def _by_pillow(view: memoryview) -> Tensor:
    """The formats that torchvision does not know: BMP and TIFF."""
    with Image.open(io.BytesIO(view)) as image:
        if image.mode.startswith("I;16"):
            gray = torch.from_numpy((np.asarray(image).astype(np.int32) >> 8).astype(np.uint8))
            return gray.expand(3, -1, -1)
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def _first_line(error: Exception) -> str:
    return str(error).split(", ")[-1].splitlines()[0][:120] if str(error) else type(error).__name__
