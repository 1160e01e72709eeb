"""Encoded images without decoding them: what they are, how large, whether they are whole."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

from PIL import ExifTags, Image

MAX_PIXELS = 2**27
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class BadImage(ValueError):
    """An image that cannot be used; the message is the reason as reports print it."""


@dataclass(frozen=True)
class Header:
    """Size as stored, and the EXIF orientation (1 to 8, 1 = as stored)."""

    width: int
    height: int
    orientation: int


def inspect(data: bytes) -> Header:
    """The header of an encoded image; raises BadImage for what no loader could decode."""
    if not data:
        raise BadImage("image file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise BadImage(f"image has more than {MAX_PIXELS} pixels") from None
    except Exception as error:  # Decoders raise anything on malformed bytes; whatever it is, this is not an image.
        raise BadImage("not an image, or of an unknown format") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadImage(f"image has more than {MAX_PIXELS} pixels")
    if width < 1 or height < 1:
        raise BadImage("image has no pixels")
    if image.format == "JPEG":
        _check_jpeg(data)
    elif image.format == "PNG":
        _check_png(data)
    else:
        _decode(image)
    return Header(width, height, _orientation(image))


def oriented_size(header: Header) -> tuple[int, int]:
    """Width and height after the orientation is applied."""
    return (header.height, header.width) if header.orientation >= 5 else (header.width, header.height)


def _orientation(image: Image.Image) -> int:
    if not image.info.get("exif"):
        return 1
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Damaged EXIF is common and harmless: the image is then taken as stored.
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _check_jpeg(data: bytes) -> None:
    """A whole JPEG ends with its end marker; the rare ones with something behind it are decoded to be sure."""
    if not data.endswith(b"\xff\xd9"):
        try:
            _decode(Image.open(io.BytesIO(data), formats=("JPEG",)))
        except BadImage:
            raise BadImage("image is truncated") from None


def _check_png(data: bytes) -> None:
    """Walks the chunks of a PNG and checks their sums, at a gigabyte a second."""
    view, at = memoryview(data), len(PNG_SIGNATURE)
    while at + 12 <= len(view):
        length, kind = struct.unpack_from(">I4s", view, at)
        end = at + 12 + length
        if end > len(view):
            break
        if zlib.crc32(view[at + 4 : end - 4]) != struct.unpack_from(">I", view, end - 4)[0]:
            raise BadImage("image is damaged (wrong checksum)")
        if kind == b"IEND":
            return
        at = end
    raise BadImage("image is truncated")


def _decode(image: Image.Image) -> None:
    try:
        image.load()
    except Exception as error:  # As above: any error of a decoder means that the bytes are no image.
        raise BadImage("image is damaged or truncated") from error
