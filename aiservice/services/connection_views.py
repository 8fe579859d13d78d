"""What others see of a provider connection: routing, admins, developers. None of it holds a key."""

from dataclasses import dataclass

from aiservice.providers.capabilities import Stated
from aiservice.tables import Connection


@dataclass(slots=True, frozen=True)
class ConnectionView:
    """A connection as routing sees it. What is stated of its provider's dealings with data: `data_collection` "allow"
    or "deny", `is_zdr` (it keeps nothing), `region`; None is what nobody has stated."""

    id: str
    name: str
    kind: str
    base_url: str
    is_private_allowed: bool
    owner_client_id: str | None
    models: tuple[str, ...]
    weight: int
    is_disabled: bool
    revision: int
    created_us: int
    has_key: bool = False
    rpm: int | None = None
    tpm: int | None = None
    stated: tuple[Stated, ...] = ()
    data_collection: str | None = None
    is_zdr: bool = False
    region: str | None = None


@dataclass(slots=True, frozen=True)
class ConnectionDetails:
    """A connection as people see it; to a developer, address, key hint, fingerprint and test are empty."""

    id: str
    name: str
    kind: str
    models: tuple[str, ...]
    weight: int
    is_disabled: bool
    owner_client_id: str | None
    created_us: int
    base_url: str = ""
    is_private_allowed: bool = False
    key_hint: str = ""
    key_fingerprint: str = ""
    tested_us: int | None = None
    test_result: str = ""
    rpm: int | None = None
    tpm: int | None = None
    stated: tuple[Stated, ...] = ()
    data_collection: str | None = None
    is_zdr: bool = False
    region: str | None = None

    @property
    def has_failed_test(self) -> bool:
        """Whether the last live test came out badly."""
        return bool(self.test_result) and not self.test_result.startswith("ok")


def view(row: Connection) -> ConnectionView:
    """What routing needs."""
    return ConnectionView(
        id=row.id,
        name=row.name,
        kind=row.kind,
        base_url=row.base_url,
        is_private_allowed=row.is_private_allowed,
        owner_client_id=row.owner_client_id,
        models=tuple(row.models),
        weight=row.weight,
        is_disabled=row.is_disabled,
        revision=row.revision,
        created_us=row.created_us,
        has_key=bool(row.key_fingerprint),
        rpm=row.rpm,
        tpm=row.tpm,
        stated=_stated(row),
        data_collection=row.data_collection,
        is_zdr=bool(row.is_zdr),
        region=row.region,
    )


def outline(row: Connection) -> ConnectionDetails:
    """What a developer may know."""
    return ConnectionDetails(
        id=row.id,
        name=row.name,
        kind=row.kind,
        models=tuple(row.models),
        weight=row.weight,
        is_disabled=row.is_disabled,
        owner_client_id=row.owner_client_id,
        created_us=row.created_us,
        data_collection=row.data_collection,
        is_zdr=bool(row.is_zdr),
        region=row.region,
    )


def details(row: Connection) -> ConnectionDetails:
    """What an admin may know: everything but the key."""
    return ConnectionDetails(
        id=row.id,
        name=row.name,
        kind=row.kind,
        models=tuple(row.models),
        weight=row.weight,
        is_disabled=row.is_disabled,
        owner_client_id=row.owner_client_id,
        created_us=row.created_us,
        base_url=row.base_url,
        is_private_allowed=row.is_private_allowed,
        key_hint=row.key_hint,
        key_fingerprint=row.key_fingerprint,
        tested_us=row.tested_us,
        rpm=row.rpm,
        tpm=row.tpm,
        test_result=row.test_result,
        stated=_stated(row),
        data_collection=row.data_collection,
        is_zdr=bool(row.is_zdr),
        region=row.region,
    )


def _stated(row: Connection) -> tuple[Stated, ...]:
    """What is stated of its models, in a form that can be remembered by."""
    return tuple(
        (model, name, tuple(value) if isinstance(value, list) else value)
        for model, name, value in row.capabilities or ()
    )
