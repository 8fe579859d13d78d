"""Vendors as data, for who shows and stores them: rows are read, checked and made into providers here."""

from aiservice.providers._base import Provider
from aiservice.providers._vendors import texts
from aiservice.providers._vendors.reading import row_from_toml, row_of, table_from_toml
from aiservice.providers._vendors.row import Json, RowError, VendorRow
from aiservice.providers._vendors.shape import VendorShape

__all__ = ["Json", "RowError", "VendorRow", "provider_of", "row_from_toml", "row_of", "table_from_toml", "texts"]


def provider_of(row: VendorRow) -> Provider:
    """The provider that the row describes."""
    return VendorShape(row)
