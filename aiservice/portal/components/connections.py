"""A provider connection as a line of the Providers page."""

from typing import TypedDict

from aiservice.kit.clock import from_us
from aiservice.providers import registry
from aiservice.services.connection_views import ConnectionDetails


class ConnectionRow(TypedDict):
    """A connection in the list."""

    id: str
    name: str
    kind: str
    address: str
    key: str
    models: str
    tested: str
    state: str
    state_kind: str
    is_disabled: bool
    is_builtin: bool


def row_of(view: ConnectionDetails) -> ConnectionRow:
    """The line for a connection."""
    provider = registry().get(view.kind)
    is_builtin = provider is not None and provider.is_local
    state, kind = _state_of(view, is_builtin=is_builtin)
    return ConnectionRow(
        id=view.id,
        name=view.name,
        kind=view.kind,
        address=view.base_url or "inside this server",
        key=f"…{view.key_hint}" if view.key_hint else "sealed" if view.key_fingerprint else "none",
        models=", ".join(view.models[:3]) + (f" and {len(view.models) - 3} more" if len(view.models) > 3 else ""),
        tested=f"{from_us(view.tested_us):%Y-%m-%d %H:%M} UTC: {view.test_result}" if view.tested_us else "",
        state=state,
        state_kind=kind,
        is_disabled=view.is_disabled,
        is_builtin=is_builtin,
    )


def _state_of(view: ConnectionDetails, *, is_builtin: bool) -> tuple[str, str]:
    if view.is_disabled:
        return "disabled", "warn"
    if view.has_failed_test:
        return "test failed", "bad"
    return ("sandbox", "plain") if is_builtin else ("in use", "good")
