"""Entries of the audit log: how a service writes one, what may stand in it, and how it is signed."""

import hmac
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from aiservice.kit.clock import now_us
from aiservice.kit.logs import one_line, redact
from aiservice.kit.secret import Secret
from aiservice.principal import Person, Principal
from aiservice.store.session import AsyncSession
from aiservice.tables import AuditEntry

CALLER_ADDRESS: ContextVar[str] = ContextVar("caller_address", default="")
"""The address that the work of this task is done for; set by whoever lets callers in."""

BY_TOKEN = " by token "
"""Between a person's address and the id of the token by which a program acted for them."""
_DOMAIN = b"aiservice audit v1"
_PENDING = "audit"
_MAX_VALUE, _MAX_ITEMS, _MAX_BYTES = 500, 100, 8_000

Values = Mapping[str, Any]
Actor = Person | Principal | str


@dataclass(slots=True, frozen=True)
class Entry:
    """An entry as people see it; `before` and `after` are None where there was nothing."""

    number: int
    at_us: int
    actor_id: str
    actor: str
    address: str
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def record(
    session: AsyncSession,
    actor: Actor,
    action: str,
    subject: str,
    *,
    before: Values | None = None,
    after: Values | None = None,
    address: str | None = None,
) -> None:
    """Writes an entry at the end of this unit of work (a `db.write()`), or none if that fails.

    `actor` is who did it (text for what no person did: "system"). `action` is what, as `noun.verb`; `subject` the id of
    what it was done to. `before` and `after` hold the fields that changed; a `Secret`, bytes, and whatever looks like a
    credential are masked. `address` is by default that of the caller whose event or request this is.
    """
    actor_id, name = _who(actor)
    entry = AuditEntry(
        number=0,
        at_us=now_us(),
        actor_id=_text(actor_id, 40),
        actor=_text(name, 320),
        address=_text(CALLER_ADDRESS.get() if address is None else address, 64),
        action=_text(action, 48),
        subject=_text(subject, 120),
        before=_as_json(before),
        after=_as_json(after),
        previous=b"",
        mac=b"",
    )
    session.info.setdefault(_PENDING, []).append(entry)


def take_pending(session: AsyncSession) -> list[AuditEntry]:
    """What `record` was told in this unit of work and is not signed yet."""
    pending: list[AuditEntry] = session.info.pop(_PENDING, [])
    return pending


def sign(key: bytes, entry: AuditEntry) -> bytes:
    """The length in front of every part makes it impossible to move a byte from one to the next."""
    told = (entry.actor_id, entry.actor, entry.address, entry.action, entry.subject, entry.before, entry.after)
    parts = [_DOMAIN, entry.previous, b"%d" % entry.number, b"%d" % entry.at_us, *(text.encode() for text in told)]
    return hmac.digest(key, b"".join(len(part).to_bytes(4, "big") + part for part in parts), "sha256")


def entry_of(row: AuditEntry) -> Entry:
    told = (row.number, row.at_us, row.actor_id, row.actor, row.address, row.action, row.subject)
    return Entry(*told, _read_json(row.before), _read_json(row.after))


def _read_json(text: str) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        read: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError:  # altered: `verify` names it
        return {"unreadable": one_line(text[:_MAX_VALUE])}
    return read


def _as_json(values: Values | None) -> str:
    if values is None:
        return ""
    text = orjson.dumps(_plain(values), option=orjson.OPT_SORT_KEYS)
    return text.decode() if len(text) <= _MAX_BYTES else f'{{"left_out":"{len(text)} bytes"}}'


def _plain(value: Any) -> Any:
    """The value as JSON may hold it: what is no plain value is named by its type, so that no secret gets in."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, Secret):
        return "[secret]"
    if isinstance(value, str):
        return _text(redact(value), _MAX_VALUE)
    if isinstance(value, Mapping):
        return {_text(str(name), 60): _plain(each) for name, each in [*value.items()][:_MAX_ITEMS]}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value[:_MAX_ITEMS]]
    if isinstance(value, (set, frozenset)):
        return [_plain(each) for each in sorted(value, key=str)[:_MAX_ITEMS]]
    return f"[{type(value).__name__}]"


def _text(text: str, most: int) -> str:
    """One line, as both databases hold it."""
    return one_line(text[:most]).encode("utf-8", "replace").decode()[:most]


def _who(actor: Actor) -> tuple[str, str]:
    if isinstance(actor, Person):
        return actor.user_id, f"{actor.email}{BY_TOKEN}{actor.token_id}" if actor.token_id else actor.email
    if isinstance(actor, Principal):
        return actor.key_id, f"key of {actor.client_name}"
    return actor, actor
