"""The forms that bring a provider's key: it is tried at its address, and stored where that does not refuse it."""

from typing import Any

from aiservice.errors import InvalidRequest, Unprocessable
from aiservice.kit.secret import Secret
from aiservice.portal.session.bodies import Fields
from aiservice.principal import Person
from aiservice.services.core import Core
from aiservice.services.probe import ProbeResult

Answer = dict[str, Any]
_MOST_DIGITS = 15


async def add(core: Core, person: Person, fields: Fields) -> Answer:
    """`kind`, `name`, `base_url`, `secret`, `models`, `weight`, `rpm`, `tpm`, `allow_private`."""
    secret = Secret(fields.optional("secret")) if fields.optional("secret") else None
    return await _add(core, person, fields, (fields.required("kind"), fields.optional("base_url"), secret))


async def import_from_environment(core: Core, person: Person, fields: Fields) -> Answer:
    """`variable`, `name`: a connection with the key that stands in that variable of the server's environment."""
    return await _add(core, person, fields, await core.environment_keys.take(person, fields.required("variable")))


async def set_key(core: Core, person: Person, fields: Fields) -> Answer:
    """`id`, `secret`: tried before it takes the place of the one before."""
    connections, secret = core.connections, Secret(fields.required("secret"))
    row = await connections.find(person, fields.required("id"))
    found = await connections.check(
        person, row.kind, row.base_url or None, secret, is_private_allowed=row.is_private_allowed
    )
    _require_working(found)
    await connections.set_key(person, row.id, secret)
    await connections.record_test(person, row.id, found)
    return {"id": row.id, "test": found.summary}


async def add_key(core: Core, person: Person, fields: Fields) -> Answer:
    """`id` of the connection, `secret`, `label`, `weight`, `rpm`, `tpm`: one more key of it."""
    keys, secret = core.provider_keys, Secret(fields.required("secret"))
    connection = fields.required("id")
    found = await keys.check(person, connection, secret)
    _require_working(found)
    key = await keys.add(
        person,
        connection,
        secret,
        label=fields.optional("label"),
        weight=_number(fields, "weight") or 1,
        rpm=_number(fields, "rpm"),
        tpm=_number(fields, "tpm"),
    )
    await keys.record_test(person, key.id, found)
    return {"id": key.id, "test": found.summary}


async def set_further_key(core: Core, person: Person, fields: Fields) -> Answer:
    """`id` of the key, `secret`: tried before it takes the place of the one before."""
    keys, secret = core.provider_keys, Secret(fields.required("secret"))
    key_id = fields.required("id")
    found = await keys.check(person, await keys.connection_of(person, key_id), secret)
    _require_working(found)
    await keys.set_secret(person, key_id, secret)
    await keys.record_test(person, key_id, found)
    return {"id": key_id, "test": found.summary}


async def _add(core: Core, person: Person, fields: Fields, what: tuple[str, str, Secret | None]) -> Answer:
    kind, address, secret = what
    base_url = address or None
    connections, is_private_allowed = core.connections, fields.optional("allow_private") == "true"
    found = await connections.check(person, kind, base_url, secret, is_private_allowed=is_private_allowed)
    _require_working(found)
    models = [name.strip() for name in fields.optional("models").split(",") if name.strip()]
    added = await connections.add(
        person,
        kind,
        fields.required("name"),
        base_url,
        secret,
        is_private_allowed=is_private_allowed,
        models=models or list(found.models) or None,
        weight=_number(fields, "weight") or 1,
        rpm=_number(fields, "rpm"),
        tpm=_number(fields, "tpm"),
    )
    await connections.record_test(person, added.id, found)
    return {"id": added.id, "test": found.summary}


def _require_working(found: ProbeResult) -> None:
    """A wrong key or address is not stored; that of a provider which is away or busy is, and the page says so."""
    if found.is_rejected:
        raise Unprocessable(f"The test failed, and nothing was stored. {found.message}", code=found.code)


def _number(fields: Fields, name: str) -> int | None:
    text = fields.optional(name).strip().replace(",", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise InvalidRequest(f"'{name}' must be a whole number.", param=name)
    return int(text)
