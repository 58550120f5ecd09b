from __future__ import annotations

import numpy as np

from pipeline.media.joining import contact_sheet


def test_a_contact_sheet_of_a_very_wide_film_has_a_row_of_pixels() -> None:
    picture = np.full((16, 16384, 3), 200, np.uint8)
    sheet = contact_sheet([picture] * 12, columns=4, width=320)
    assert sheet.shape == (3, 1280, 3) and (sheet == 200).all()
