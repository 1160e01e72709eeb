"""Large JSON files entry by entry: memory holds one entry, whatever the size of the file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from bench.data.converting.report import structural
from bench.errors import UserError

BLOCK = 4 * 2**20
MAX_ENTRY = 64 * 2**20
SPACE = " \t\n\r"


class Entry(NamedTuple):
    """An item of a list at the top of the file, and the bytes that hold it."""

    key: str
    value: Any
    start: int
    stop: int


def entries(path: Path, required: tuple[str, ...]) -> Iterator[Entry]:
    """The items of all lists directly under the top object; raises UserError where the file is no such JSON."""
    with structural(path), path.open("rb") as handle:
        yield from _Scanner(handle, path).entries(required)


class _Scanner:
    """A window of the file as Latin-1, where characters are bytes and all of JSON's own characters are themselves."""

    def __init__(self, handle: BinaryIO, path: Path) -> None:
        self.handle, self.path = handle, path
        self.text, self.base, self.at = "", 0, 0
        self.decode = json.JSONDecoder(strict=False).raw_decode
        if self._peek() == "\xef":
            self.at += 3

    def entries(self, required: tuple[str, ...]) -> Iterator[Entry]:
        seen: set[str] = set()
        for _ in self._until("}", after="{"):
            key = self._value()
            if not isinstance(key, str):
                raise self._error("a key should be a string")
            if key in seen:
                raise self._error(f"{key!r} is there twice")
            self._expect(":")
            seen.add(key)
            if self._peek() == "[":
                yield from self._items(key)
            elif key in required:
                raise self._error(f"{key!r} should be a list")
            else:
                self._value()
        if self._peek():
            raise self._error("the end of the file expected")
        missing = [key for key in required if key not in seen]
        if missing:
            raise UserError(f"has no {missing[0]!r}", where=str(self.path), remedy="is this a COCO instances file?")

    def _items(self, key: str) -> Iterator[Entry]:
        for _ in self._until("]", after="["):
            value = self._value()
            yield Entry(key, value, self.start, self.base + self.at)

    def _until(self, end: str, *, after: str) -> Iterator[None]:
        """Stops before each part of a list or object, which its caller takes."""
        self._expect(after)
        more = self._peek() != end
        while more:
            yield
            more = self._peek() != end
            if more:
                self._expect(",")
        self._expect(end)

    def _value(self) -> Any:
        """The next value, of which all bytes are brought into the window first."""
        self._peek()
        while True:
            try:
                value, stop = self.decode(self.text, self.at)
            except (json.JSONDecodeError, StopIteration) as error:
                place = getattr(error, "pos", len(self.text))
                byte = self.base + place
                cut_off = place > len(self.text) - 64 or str(error).startswith("Unterminated")
                if not cut_off or not self._more():
                    raise self._error("malformed JSON", byte) from None
                continue
            if stop < len(self.text) or not self._more():
                break
        return self._take(value, stop)

    def _take(self, value: Any, stop: int) -> Any:
        raw = self.text[self.at : stop]
        self.start, self.at = self.base + self.at, stop
        return value if raw.isascii() else json.loads(raw.encode("latin-1").decode("utf-8", "replace"), strict=False)

    def _peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in SPACE:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._more():
                return ""

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise self._error(f"{character!r} expected")
        self.at += 1

    def _more(self) -> bool:
        """Drops what was read and doubles what is left; False at the end of the file."""
        left = len(self.text) - self.at
        if left > MAX_ENTRY:
            raise self._error(f"one entry is larger than {MAX_ENTRY >> 20} MiB")
        block = self.handle.read(max(BLOCK, left))
        self.text, self.base, self.at = self.text[self.at :] + block.decode("latin-1"), self.base + self.at, 0
        return bool(block)

    def _error(self, what: str, byte: int | None = None) -> UserError:
        place = self.base + self.at if byte is None else byte
        return UserError(f"{what} at byte {place}", where=str(self.path), remedy="is the file complete?")
