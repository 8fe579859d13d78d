"""What people see of a key: never its secret."""

from dataclasses import dataclass
from typing import Literal

from aiservice.services.key_policy import IDLE_US, KeyPolicy
from aiservice.tables import Client, ClientKey, KeySecret

KeyState = Literal["active", "rolling", "stopped", "expired", "revoked"]


_TOLD = (
    "name",
    "client_id",
    "scopes",
    "allowed_connections",
    "allowed_models",
    "allowed_networks",
    "limits",
    "expires_us",
)


@dataclass(slots=True, frozen=True)
class SecretView:
    """A live secret of a key. Times are microseconds UTC."""

    public_id: str
    created_us: int
    expires_us: int | None
    last_used_us: int | None


@dataclass(slots=True, frozen=True)
class KeyView:
    """A key. `overlap_ends_us` is when the older of its two secrets ends, where there are two. It is "stopped" while
    whoever made it may not use its client. `expires_us` is when its newest secret ends, whatever ends it;
    `copy_owner_id` is who may see that secret again.
    """

    id: str
    client_id: str
    client: str
    name: str
    state: KeyState
    is_test: bool
    scopes: tuple[str, ...] | None
    connections: tuple[str, ...] | None
    models: tuple[str, ...] | None
    networks: tuple[str, ...] | None
    limits: dict[str, int]
    client_limits: dict[str, int]
    created_us: int
    expires_us: int | None
    revoked_us: int | None
    last_used_us: int | None
    overlap_ends_us: int | None
    leaked_us: int | None
    is_idle: bool
    copy_owner_id: str | None
    secrets: tuple[SecretView, ...]


def view(
    key: ClientKey, client: Client, live: list[KeySecret], now_us: int, policy: KeyPolicy, *, is_stopped: bool = False
) -> KeyView:
    """The view of `key` with its live secrets, oldest first."""
    ends = {secret.public_id: _end(key, secret, policy) for secret in live}
    live = [secret for secret in live if (end := ends[secret.public_id]) is None or end > now_us]
    state = _state(key, live, is_stopped=is_stopped)
    is_live = state in ("active", "rolling", "stopped")
    newest = live[-1] if live and is_live else None
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
        networks=_tuple(key.allowed_networks),
        limits=dict(key.limits or {}),
        client_limits=dict(client.limits or {}),
        created_us=key.created_us,
        expires_us=key.expires_us if newest is None else ends[newest.public_id],
        revoked_us=key.revoked_us,
        last_used_us=key.last_used_us,
        overlap_ends_us=ends[live[0].public_id] if is_live and len(live) > 1 else None,
        leaked_us=key.leaked_us,
        is_idle=is_live and not key.is_decoy and (key.last_used_us or key.created_us) < now_us - IDLE_US,
        copy_owner_id=None if newest is None else newest.copy_owner_id,
        secrets=tuple(
            SecretView(s.public_id, s.created_us, ends[s.public_id], s.last_used_us) for s in live if is_live
        ),
    )


def _state(key: ClientKey, live: list[KeySecret], *, is_stopped: bool) -> KeyState:
    if key.revoked_us is not None:
        return "revoked"
    if not live:
        return "expired"
    if is_stopped:
        return "stopped"
    return "rolling" if len(live) > 1 else "active"


def _end(key: ClientKey, secret: KeySecret, policy: KeyPolicy) -> int | None:
    return earlier(policy.secret_end(secret.created_us, secret.expires_us), key.expires_us)


def earlier(first: int | None, second: int | None) -> int | None:
    """The earlier of two times, of which either may be never."""
    return min((at for at in (first, second) if at is not None), default=None)


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def told(key: ClientKey) -> dict[str, object]:
    """A key as the audit log tells of it."""
    return {name: getattr(key, name) for name in _TOLD}
