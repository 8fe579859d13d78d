"""A provider connection as a line of the Providers page."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.moments import shown_moment
from aiservice.providers import registry
from aiservice.providers.capabilities import capabilities_of
from aiservice.services.connection_views import ConnectionDetails

_MOST_MODELS = 20
_COLLECTION = {"allow": "may learn from data", "deny": "does not learn from data"}
_ABILITIES = {
    "tools": "tools",
    "json_schema": "schemas",
    "images": "images",
    "documents": "documents",
    "audio": "audio",
    "video": "video",
    "reasoning": "reasoning",
}


class ConnectionRow(TypedDict):
    """A connection in the list."""

    id: str
    name: str
    kind: str
    address: str
    key: str
    more_keys: str
    key_numbers: dict[str, int]
    said: str
    models: str
    tested: str
    state: str
    state_kind: str
    is_disabled: bool
    is_builtin: bool
    data: str
    abilities: str
    data_collection: str
    is_zdr: bool
    region: str


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
        more_keys=_more_keys(view),
        key_numbers={key.id: key.number for key in view.keys},
        said=_said(view),
        models=", ".join(view.models[:3]) + (f" and {len(view.models) - 3} more" if len(view.models) > 3 else ""),
        tested=f"{shown_moment(view.tested_us)}: {view.test_result}" if view.tested_us else "",
        state=state,
        state_kind=kind,
        is_disabled=view.is_disabled,
        is_builtin=is_builtin,
        data=_data_of(view),
        abilities="\n".join(_abilities(view, name) for name in view.models[:_MOST_MODELS]),
        data_collection=view.data_collection or "",
        is_zdr=view.is_zdr,
        region=view.region or "",
    )


def _more_keys(view: ConnectionDetails) -> str:
    """How many further keys it has, and how many of those are out."""
    if not view.keys:
        return ""
    out = sum(key.is_disabled or key.has_failed_test for key in view.keys)
    return f"and {len(view.keys)} more" + (f", {out} out" if out else "")


def _said(view: ConnectionDetails) -> str:
    """Weight and limits, where an admin has said something of them."""
    found = [
        *([f"weight {view.weight}"] if view.weight != 1 else []),
        *([f"{view.rpm:,} requests/min"] if view.rpm else []),
        *([f"{view.tpm:,} tokens/min"] if view.tpm else []),
    ]
    return ", ".join(found)


def _data_of(view: ConnectionDetails) -> str:
    """What is stated of the provider's dealings with data; "" where that is nothing."""
    said = [
        *([_COLLECTION[view.data_collection]] if view.data_collection in _COLLECTION else []),
        *(["keeps nothing"] if view.is_zdr else []),
        *([f"in {view.region}"] if view.region else []),
    ]
    return ", ".join(said)


def _abilities(view: ConnectionDetails, model: str) -> str:
    """What is known of a model, in a line."""
    known = capabilities_of(view.kind, model, view.base_url, view.stated)
    length = [f"{known.context_tokens:,} tokens"] if known.context_tokens else []
    can = [words for name, words in _ABILITIES.items() if getattr(known, name)]
    return f"{model}: {', '.join([*length, *can]) or 'nothing known'}"


def _state_of(view: ConnectionDetails, *, is_builtin: bool) -> tuple[str, str]:
    if view.is_disabled:
        return "disabled", "warn"
    if view.has_failed_test:
        return "test failed", "bad"
    return ("sandbox", "plain") if is_builtin else ("in use", "good")


def abilities_of(row: Any) -> rx.Component:
    """The models, and on demand what is known of each."""
    return rx.el.details(
        rx.el.summary(row["models"], class_name="cursor-pointer text-xs"),
        rx.el.p(row["abilities"], class_name=f"mt-1 text-xs whitespace-pre-line wrap-anywhere {theme.MUTED}"),
        class_name="lg:min-w-56",
    )
