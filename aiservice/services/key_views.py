"""What people see of a key: never its secret."""

from dataclasses import dataclass
from typing import Literal

from aiservice.tables import Client, ClientKey, KeySecret

KeyState = Literal["active", "rolling", "expired", "revoked"]


@dataclass(slots=True, frozen=True)
class SecretView:
    """A live secret of a key. Times are microseconds UTC."""

    public_id: str
    created_us: int
    expires_us: int | None
    last_used_us: int | None


@dataclass(slots=True, frozen=True)
class KeyView:
    """A key. `overlap_ends_us` is set while it is "rolling": when the older of its two secrets ends."""

    id: str
    client_id: str
    client: str
    name: str
    state: KeyState
    is_test: bool
    scopes: tuple[str, ...] | None
    connections: tuple[str, ...] | None
    models: tuple[str, ...] | None
    limits: dict[str, int]
    client_limits: dict[str, int]
    created_us: int
    expires_us: int | None
    revoked_us: int | None
    last_used_us: int | None
    overlap_ends_us: int | None
    secrets: tuple[SecretView, ...]


def view(key: ClientKey, client: Client, live: list[KeySecret], now_us: int) -> KeyView:
    """The view of `key` with its live secrets, oldest first."""
    state = _state(key, live, now_us)
    is_live = state in ("active", "rolling")
    return KeyView(
        id=key.id,
        client_id=client.id,
        client=client.name,
        name=key.name,
        state=state,
        is_test=key.is_test,
        scopes=_tuple(key.scopes),
        connections=_tuple(key.allowed_connections),
        models=_tuple(key.allowed_models),
        limits=dict(key.limits or {}),
        client_limits=dict(client.limits or {}),
        created_us=key.created_us,
        expires_us=key.expires_us,
        revoked_us=key.revoked_us,
        last_used_us=key.last_used_us,
        overlap_ends_us=_earlier(live[0].expires_us, key.expires_us) if state == "rolling" else None,
        secrets=tuple(
            SecretView(s.public_id, s.created_us, _earlier(s.expires_us, key.expires_us), s.last_used_us)
            for s in live
            if is_live
        ),
    )


def _state(key: ClientKey, live: list[KeySecret], now_us: int) -> KeyState:
    if key.revoked_us is not None:
        return "revoked"
    if not live or (key.expires_us is not None and key.expires_us <= now_us):
        return "expired"
    return "rolling" if len(live) > 1 else "active"


def _earlier(first: int | None, second: int | None) -> int | None:
    return min((at for at in (first, second) if at is not None), default=None)


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
