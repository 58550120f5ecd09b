"""Listening: a song's files and what the preset says of it become what curves follow, once for each song."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from pipeline.disk import cache_folder, digest_of
from pipeline.errors import MediaError
from pipeline.listen.config import ListenConfig
from pipeline.listen.kept import read_signals, write_signals
from pipeline.listen.song import Pace, heard
from pipeline.listen.spectra import RATE, Spectra, spectra
from pipeline.media.hearing import beginning, samples
from pipeline.media.inputs import fingerprint
from pipeline.media.sound import Soundtrack
from pipeline.signals import Signals

# What is remembered was heard by this version of the analysis.
_VERSION = 2
LONGEST = Fraction(12 * 3600)

log = logging.getLogger(__name__)


def song_of(config: ListenConfig, path: str | None = None) -> Soundtrack:
    """A song's sound from where the film begins, or that of another file that goes along with it, such as a stem.

    Raises MediaError.
    """
    file = Path(config.path if path is None else path)
    return Soundtrack(file, beginning(file) + config.begins)


def hear(config: ListenConfig, song: Soundtrack) -> Signals:
    """What curves can follow of a song, or of footage's own sound, with its stems; time 0 is the film's first frame.

    What was heard once is remembered by the files' contents. Raises MediaError for sound that can't be read.
    """
    stems = {name: song_of(config, path) for name, path in config.stems.items()}
    first = config.first_beat
    pace = Pace(*config.bounds, None if first is None else float(first.seconds or 0), config.meter)
    return _heard(_digest(pace, song, stems), pace, song, tuple(stems.items()))


@lru_cache(maxsize=4)
def _heard(digest: str, pace: Pace, song: Soundtrack, stems: tuple[tuple[str, Soundtrack], ...]) -> Signals:
    file = cache_folder() / "heard" / f"{digest}.safetensors"
    with contextlib.suppress(OSError, ValueError):
        return read_signals(file)
    found = heard(digest, _spectra(song), {name: _spectra(stem) for name, stem in stems}, pace)
    try:
        write_signals(found, file)
    except OSError as error:
        log.debug("what was heard can't be kept in %s: %s", file, error)
    return found


def _spectra(sound: Soundtrack) -> Spectra:
    return spectra(samples(sound, RATE, LONGEST))


def _digest(pace: Pace, song: Soundtrack, stems: Mapping[str, Soundtrack]) -> str:
    parts = [str(_VERSION), str(pace)]
    for name, sound in {"": song, **stems}.items():
        parts += [name, _contents(sound.path), str(sound.since), str(sound.speed)]
    return digest_of("\n".join(parts).encode())


def _contents(path: Path) -> str:
    found = fingerprint(path)
    if found is None:
        raise MediaError(f"can't read {path}; give a file with sound")
    return found.digest
