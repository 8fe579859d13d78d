"""QR codes as one SVG path, for a page to draw in its own colours."""

_QUIET_MODULES = 4  # ISO/IEC 18004: the light margin that readers look for


def qr_path(text: str) -> tuple[str, int]:
    """The dark modules as the `d` of a path, and the width of the whole square, in modules, margin included."""
    import segno  # noqa: PLC0415 - nearly a megabyte, which only those who set an app up need

    matrix = segno.make(text, error="m", micro=False).matrix
    runs = []
    for y, row in enumerate(matrix, _QUIET_MODULES):
        x = 0
        while x < len(row):
            start = x
            while x < len(row) and row[x]:
                x += 1
            if x > start:
                runs.append(f"M{start + _QUIET_MODULES} {y}h{x - start}v1h-{x - start}z")
            x += 1
    return "".join(runs), len(matrix) + 2 * _QUIET_MODULES
