"""QR codes as a path: the modules it draws are those of the library's matrix."""

import re

import segno

from aiservice.kit.qr import qr_path


def test_the_path_draws_exactly_the_dark_modules_with_a_margin_of_four() -> None:
    text = "otpauth://totp/aiservice:ada@example.org?secret=JBSWY3DPEHPK3PXP&issuer=aiservice"
    path, size = qr_path(text)
    drawn = {
        (int(x) + step, int(y))
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", path)
        for step in range(int(width))
    }
    matrix = segno.make(text, error="m", micro=False).matrix
    assert drawn == {(x + 4, y + 4) for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark}
    assert size == len(matrix) + 8
    assert re.fullmatch(r"(M\d+ \d+h\d+v1h-\d+z)+", path)
