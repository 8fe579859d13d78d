"""Further keys of a provider connection, by their number. The first one is the connection's own."""

from pydantic import Field

from aiservice.kit.clock import iso
from aiservice.kit.secret import Secret
from aiservice.management.models import At, Given, Told, at
from aiservice.management.resources.providers import PerMinute, ProviderKey, ProviderTestTold
from aiservice.management.rows import Call, Row
from aiservice.services.connection_views import KeyDetails


class NewProviderKey(Given):
    key: ProviderKey
    label: str = Field(default="", max_length=100)
    weight: int = Field(default=1, ge=1, le=1000)
    rpm: PerMinute | None = None
    tpm: PerMinute | None = None


class ProviderKeyChange(Given):
    """What is left out stays as it is."""

    key: ProviderKey | None = None
    label: str | None = Field(default=None, max_length=100)
    weight: int | None = Field(default=None, ge=1, le=1000)
    rpm: PerMinute | None = None
    tpm: PerMinute | None = None
    disabled: bool | None = None


class ProviderKeyTold(Told):
    number: int
    label: str
    weight: int
    rpm: int | None
    tpm: int | None
    disabled: bool
    key_hint: str
    tested_at: At | None
    test_result: str | None
    created_at: At


class ProviderKeys(Told):
    data: list[ProviderKeyTold]


async def list_all(call: Call) -> ProviderKeys:
    row = await call.core.connections.find(call.me, call.args["provider"])
    return ProviderKeys(data=[_told(one) for one in row.keys])


async def add(call: Call, given: NewProviderKey) -> ProviderKeyTold:
    made = await call.core.provider_keys.add(
        call.me,
        call.args["provider"],
        Secret(given.key),
        label=given.label,
        weight=given.weight,
        rpm=given.rpm,
        tpm=given.tpm,
    )
    return _told(made)


async def update(call: Call, given: ProviderKeyChange) -> ProviderKeyTold:
    keys, one = call.core.provider_keys, await _found(call)
    if given.key is not None:
        one = await keys.set_secret(call.me, one.id, Secret(given.key))
    if given.model_fields_set & {"label", "weight", "rpm", "tpm"}:
        one = await keys.update(call.me, one.id, label=given.label, weight=given.weight, rpm=given.rpm, tpm=given.tpm)
    if given.disabled is not None:
        one = await (keys.disable if given.disabled else keys.enable)(call.me, one.id)
    return _told(one)


async def remove(call: Call) -> None:
    await call.core.provider_keys.remove(call.me, (await _found(call)).id)


async def test(call: Call) -> ProviderTestTold:
    found = await call.core.provider_keys.test(call.me, (await _found(call)).id)
    return ProviderTestTold(
        ok=found.is_ok, latency_ms=found.latency_ms, models=list(found.models), code=found.code, message=found.message
    )


async def _found(call: Call) -> KeyDetails:
    """The key that the path names. Raises: NotFound."""
    number = call.args["number"]
    return await call.core.provider_keys.numbered(
        call.me, call.args["provider"], int(number) if number.isdecimal() and len(number) < 6 else 0
    )


def _told(one: KeyDetails) -> ProviderKeyTold:
    return ProviderKeyTold(
        number=one.number,
        label=one.label,
        weight=one.weight,
        rpm=one.rpm,
        tpm=one.tpm,
        disabled=one.is_disabled,
        key_hint=one.key_hint,
        tested_at=iso(one.tested_us),
        test_result=one.test_result or None,
        created_at=at(one.created_us),
    )


_ALL = "/api/providers/{provider}/keys"
_ONE = f"{_ALL}/{{number}}"
ROWS = (
    Row("GET", _ALL, "connection.get", list_all, "The further keys of a connection"),
    Row("POST", _ALL, "provider_key.add", add, "Add a key", status=201),
    Row("PATCH", _ONE, "provider_key.change", update, "Change, replace, disable or enable a key"),
    Row("DELETE", _ONE, "provider_key.remove", remove, "Destroy a key", status=204),
    Row("POST", f"{_ONE}/test", "provider_key.test", test, "Call the provider with this key"),
)
