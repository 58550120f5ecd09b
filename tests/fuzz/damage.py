"""How files come to harm: cut short, bits turned over, pieces doubled, lost and swapped, numbers in headers changed."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.words import TEXTS

Draw = Callable[[st.SearchStrategy[Any]], Any]
_HEADER = 512
_NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    16,
    64,
    127,
    128,
    255,
    256,
    4096,
    32767,
    32768,
    65535,
    65536,
    10**6,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
_MARK = re.compile(rb"[A-Za-z][A-Za-z0-9_ ]{3}|\x1a\x45\xdf\xa3|\xff[\xc0-\xfe]|\x00\x00\x01")
_MOST_BYTES = 400_000


def damaged(draw: Draw, original: bytes, others: Sequence[bytes] = ()) -> bytes:
    """The bytes after one accident or a few; pieces of `others` may get in."""
    data = original
    for _ in range(draw(st.sampled_from([1, 1, 1, 1, 2, 3]))):
        data = draw(st.sampled_from(_ACCIDENTS))(draw, data, others)[:_MOST_BYTES]
    if data.startswith(b"\x89PNG") and draw(st.booleans()):
        data = with_checksums(data)
    return data


def _place(draw: Draw, data: bytes) -> int:
    """Anywhere, in the header, or beside a mark such as the name of a chunk."""
    where = draw(st.sampled_from(["anywhere", "anywhere", "mark", "mark", "header"]))
    marks = [found.start() for found in _MARK.finditer(data[:65536])] if where == "mark" else []
    if marks:
        return max(0, min(len(data), draw(st.sampled_from(marks)) + draw(st.integers(-8, 24))))
    # By thousandths: of a wide range, Hypothesis likes the ends too well.
    share = draw(st.sampled_from(range(1001)))
    return share * (min(len(data), _HEADER) if where == "header" else len(data)) // 1000


def _cut(draw: Draw, data: bytes, others: Sequence[bytes]) -> bytes:
    # Late, as downloads and full disks do it; or anywhere.
    return data[: -draw(st.integers(1, max(1, len(data) // 2)))] if draw(st.booleans()) else data[: _place(draw, data)]


def _turn_bits(draw: Draw, data: bytes, others: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(draw(st.sampled_from([1, 1, 2, 8, 64]))):
        if changed:
            changed[min(_place(draw, data), len(changed) - 1)] ^= 1 << draw(st.integers(0, 7))
    return bytes(changed)


def _renumber(draw: Draw, data: bytes, others: Sequence[bytes]) -> bytes:
    place, width = _place(draw, data), draw(st.sampled_from([1, 2, 4, 8]))
    number = draw(st.sampled_from(_NUMBERS)) % (1 << (8 * width))
    return data[:place] + number.to_bytes(width, draw(st.sampled_from(["big", "little"]))) + data[place + width :]


def _lose(draw: Draw, data: bytes, others: Sequence[bytes]) -> bytes:
    place = _place(draw, data)
    return data[:place] + data[place + draw(st.sampled_from([1, 4, 16, 188, 1000])) :]


def _double(draw: Draw, data: bytes, others: Sequence[bytes]) -> bytes:
    start, end = sorted((_place(draw, data), _place(draw, data)))
    end = min(end, start + draw(st.sampled_from([4, 100, 10000])))
    return data[:end] + data[start:end] * draw(st.sampled_from([1, 1, 2, 20])) + data[end:]


def _swap(draw: Draw, data: bytes, others: Sequence[bytes]) -> bytes:
    a, b, c = sorted(_place(draw, data) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def _splice(draw: Draw, data: bytes, others: Sequence[bytes]) -> bytes:
    # By number: Hypothesis writes out what it samples from, and files are long.
    other = others[draw(st.integers(0, len(others) - 1))] if others else data
    return data[: _place(draw, data)] + other[_place(draw, other) :]


def _blank(draw: Draw, data: bytes, others: Sequence[bytes]) -> bytes:
    start = _place(draw, data)
    end = min(len(data), start + draw(st.sampled_from([1, 4, 16, 200, 1000])))
    return data[:start] + draw(st.sampled_from([b"\0", b"\xff"])) * (end - start) + data[end:]


_ACCIDENTS = [_cut, _turn_bits, _turn_bits, _renumber, _renumber, _renumber, _lose, _double, _swap, _splice, _blank]


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks' checksums are right, so that what they hold is looked at."""
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        body = data[place + 4 : place + 8 + length]
        if len(body) < 4 + length:
            break
        parts.append(data[place : place + 4] + body + struct.pack(">I", zlib.crc32(body)))
        place += 12 + length
    return b"".join(parts) + data[place:]


def rewritten(draw: Draw, original: str) -> str:
    """A text after one to three slips of whoever edits it."""
    text = original
    for _ in range(draw(st.integers(1, 3))):
        text = draw(st.sampled_from([_word, _word, _line, _letter, _indent]))(draw, text)
    return text


def _word(draw: Draw, text: str) -> str:
    words = list(re.finditer(r"[^\s:,\[\]{}]+", text))
    if not words:
        return text
    word, other = (
        draw(st.sampled_from(words)),
        draw(st.one_of(st.sampled_from(TEXTS), st.sampled_from(words).map(lambda w: w[0]))),
    )
    return text[: word.start()] + other + text[word.end() :]


def _line(draw: Draw, text: str) -> str:
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    at, to = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    line = lines[at]
    if draw(st.booleans()):
        del lines[at]
    if draw(st.booleans()):
        lines.insert(to, line)
    return "".join(lines)


def _letter(draw: Draw, text: str) -> str:
    place = draw(st.integers(0, len(text)))
    other = draw(st.one_of(st.sampled_from(list("\t:-#'\"[]{}&*!|>%@`,?\0\r\x1b\u00a0")), st.characters()))
    return text[:place] + other + text[place + draw(st.integers(0, 1)) :]


def _indent(draw: Draw, text: str) -> str:
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    at = draw(st.integers(0, len(lines) - 1))
    lines[at] = draw(st.sampled_from(["  ", "\t", "    - ", ""])) + lines[at].lstrip(
        draw(st.sampled_from([" ", ""])) or None
    )
    return "".join(lines)
