"""A vendor as a line of the Vendors page."""

from typing import TypedDict

from aiservice.services.vendors import VendorView


class VendorRow(TypedDict):
    """A vendor in a list."""

    kind: str
    title: str
    address: str
    used: str
    state: str
    state_kind: str
    is_free: bool


def row_of(view: VendorView) -> VendorRow:
    """The line for a vendor."""
    names = view.connections
    return VendorRow(
        kind=view.kind,
        title=view.title,
        address=view.base_url or "given with each connection",
        used=", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "none",
        state=view.problem or ("in use" if names else "ready"),
        state_kind="bad" if view.problem else "good",
        is_free=not names,
    )
