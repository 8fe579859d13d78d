"""Vendors that speak OpenAI's wire, as rows of data: what each calls what, takes, refuses and says."""

from functools import cache
from pathlib import Path

from aiservice.providers._vendors.reading import row_from_toml
from aiservice.providers._vendors.row import VendorRow

_ROWS = Path(__file__).parent / "rows"


@cache
def texts() -> dict[str, str]:
    """The built-in rows as they are written, by kind."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(_ROWS.glob("*.toml"))}


@cache
def built_in() -> dict[str, VendorRow]:
    """The built-in rows by kind."""
    return {kind: row_from_toml(text) for kind, text in texts().items()}
