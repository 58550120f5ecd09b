"""What a sound is made of, every hundredth of a second: power in 80 bands, loudness, and the twelve pitch classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Matrix = NDArray[np.float32]

RATE = 44_100  # samples a second, of what is analysed
STEPS = 100  # a second, of everything that comes out
HOP = RATE // STEPS
BANDS, LOWEST, HIGHEST = 80, 30.0, 16_000.0
_WINDOW = 2048
_CHROMA_WINDOW, _CHROMA_EVERY = 8192, 4  # semitones of the deep notes are a few hertz apart
_CHROMA_LOWEST, _CHROMA_HIGHEST = 110.0, 4200.0
_BLOCK = 2000  # steps that are worked on at once


@dataclass(frozen=True)
class Spectra:
    """Of a sound of N steps of 1/100 s: step n is centred on n/100 s.

    `bands` (N, 80) are mean power spectral densities between the edges of `band_edges`, `power` (N,) the mean square
    of the samples, `chroma` (N, 12) the power of the pitch classes from C on, each step's sum 1 or 0.
    """

    bands: Matrix
    power: NDArray[np.float32]
    chroma: Matrix


@cache
def band_edges() -> NDArray[np.float64]:
    """The (81,) borders of the bands in hertz, evenly spaced on the mel scale (O'Shaughnessy 1987)."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST, HIGHEST))
    edges: NDArray[np.float64] = 700 * (10 ** (np.linspace(low, high, BANDS + 1) / 2595) - 1)
    return edges


def spectra(blocks: Iterable[Samples]) -> Spectra:
    """The spectra of mono samples at `RATE`, which come in blocks of any length; memory grows by 0.4 kB a step."""
    found = [_measured(stretch) for stretch in _stretches(blocks)]
    if not found:
        return Spectra(np.zeros((0, BANDS), np.float32), np.zeros(0, np.float32), np.zeros((0, 12), np.float32))
    bands, power, chroma = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Spectra(bands, power, chroma)


def _stretches(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """The samples of up to `_BLOCK` steps at a time, with half the longest window of what is around them."""
    margin, length = _CHROMA_WINDOW // 2, _BLOCK * HOP
    waiting, count = [np.zeros(margin, np.float32)], margin
    for block in blocks:
        waiting.append(block)
        count += len(block)
        if count >= length + 2 * margin:
            held = np.concatenate(waiting)
            while len(held) >= length + 2 * margin:
                yield held[: length + 2 * margin]
                held = held[length:]
            waiting, count = [held], len(held)
    held = np.concatenate(waiting)
    rest = -(-(len(held) - margin) // HOP) * HOP
    if rest > 0:
        yield np.pad(held, (0, rest + 2 * margin - len(held)))


def _measured(samples: Samples) -> tuple[Matrix, NDArray[np.float32], Matrix]:
    """Bands, power and chroma of the steps in a stretch."""
    shift = (_CHROMA_WINDOW - _WINDOW) // 2
    narrow = _windows(samples[shift : len(samples) - shift], _WINDOW, HOP)
    window = np.hanning(_WINDOW).astype(np.float32)
    spectrum = _power(narrow * window)
    middle = narrow[:, (_WINDOW - HOP) // 2 : (_WINDOW + HOP) // 2]
    return spectrum @ _band_filters(), np.square(middle).mean(1), _chroma(samples, len(narrow))


def _windows(samples: Samples, length: int, hop: int) -> Matrix:
    """(N, length) stretches, `hop` apart; the last begins a whole hop before the end."""
    return np.lib.stride_tricks.sliding_window_view(samples, length)[::hop][: (len(samples) - length) // hop]


def _power(windowed: Matrix) -> Matrix:
    spectrum = np.fft.rfft(windowed, axis=1)
    return np.asarray(np.square(spectrum.real) + np.square(spectrum.imag), np.float32)


def _chroma(samples: Samples, steps: int) -> Matrix:
    hop = HOP * _CHROMA_EVERY
    padded = np.pad(samples, (0, hop))
    windows = _windows(padded, _CHROMA_WINDOW, hop)[: -(-steps // _CHROMA_EVERY)]
    # The root of the power: so that a loud note does not hide the chord around it.
    notes = np.sqrt(_power(windows * np.hanning(_CHROMA_WINDOW).astype(np.float32))) @ _chroma_filters()
    notes /= np.maximum(notes.sum(1, keepdims=True), 1e-6)
    found: Matrix = np.repeat(notes, _CHROMA_EVERY, axis=0)[:steps]
    return found


@cache
def _band_filters() -> Matrix:
    """(1025, 80): which share of each band a bin makes up; narrow bands take the nearest bins' in part."""
    return _overlaps(_WINDOW, band_edges())


def _overlaps(window: int, edges: NDArray[np.float64]) -> Matrix:
    width = RATE / window
    centres = np.arange(window // 2 + 1) * width
    low = np.maximum(centres[:, None] - width / 2, edges[None, :-1])
    high = np.minimum(centres[:, None] + width / 2, edges[None, 1:])
    return np.asarray(np.maximum(high - low, 0) / np.diff(edges), np.float32)


@cache
def _chroma_filters() -> Matrix:
    """(4097, 12): each bin belongs to the pitch class of the nearest semitone, less so between two."""
    hertz = np.arange(_CHROMA_WINDOW // 2 + 1) * (RATE / _CHROMA_WINDOW)
    inside = (hertz >= _CHROMA_LOWEST) & (hertz <= _CHROMA_HIGHEST)
    notes = 69 + 12 * np.log2(np.where(inside, hertz, 440.0) / 440.0)
    away = np.abs((notes[:, None] - np.arange(12) + 6) % 12 - 6)
    return (np.cos(np.pi * np.minimum(away, 0.5)) * inside[:, None]).astype(np.float32)
