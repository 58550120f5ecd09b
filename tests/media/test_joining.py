"""Pictures from finished films: the frames asked for, near and far, and the contact sheet."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

from pipeline.media.joining import contact_sheet, read_frames_at
from tests.clips import real_film


def test_the_frames_asked_for_are_read_whether_near_or_far() -> None:
    film = real_film("bikes")
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate is not None
        fps = Fraction(stream.average_rate)
        whole = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    indices = [0, 1, 7, 30, 90, 91, 140, 200, len(whole) - 1]
    found = read_frames_at(film, indices, fps)
    assert all(np.array_equal(frame, whole[index]) for frame, index in zip(found, indices, strict=True))


def test_a_contact_sheet_of_a_very_wide_film_has_a_row_of_pixels() -> None:
    picture = np.full((16, 16384, 3), 200, np.uint8)
    sheet = contact_sheet([picture] * 12, columns=4, width=320)
    assert sheet.shape == (3, 1280, 3) and (sheet == 200).all()
