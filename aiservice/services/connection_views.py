"""What others see of a provider connection: routing, admins, developers. None of it holds a key."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from aiservice.providers.capabilities import Stated
from aiservice.tables import Connection, ProviderKey


@dataclass(slots=True, frozen=True)
class ConnectionView:
    """A connection as routing sees it, once for each of its keys: they share all but `id`, `weight`, `revision` and
    limits. What is stated of its provider's dealings with data: `data_collection` "allow" or "deny", `is_zdr` (it keeps
    nothing), `region`; None is what nobody has stated. `first_weight` is that of its first key, which places it among
    other connections. `probe_every_seconds` is 0 for never, and None for as often as the settings say."""

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
    probe_every_seconds: int | None = None
    key_number: int = 1
    first_weight: int = 0

    @property
    def key_name(self) -> str:
        """The connection's name, and which of its keys this is where it is not the first; never sent to a client."""
        return self.name if self.key_number == 1 else f"{self.name} key {self.key_number}"

    @property
    def place(self) -> tuple[int, int]:
        """Sorts connections as they stand without a strategy: by weight, then by age; their keys stay together."""
        return (-(self.first_weight or self.weight), self.created_us)


@dataclass(slots=True, frozen=True)
class KeyDetails:
    """One more key of a connection, as admins see it; `number` is 2 for the first of them."""

    id: str
    number: int
    label: str
    weight: int
    rpm: int | None
    tpm: int | None
    is_disabled: bool
    key_hint: str
    key_fingerprint: str
    created_us: int
    tested_us: int | None
    test_result: str

    @property
    def has_failed_test(self) -> bool:
        """Whether the last live test came out badly."""
        return bool(self.test_result) and not self.test_result.startswith("ok")


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
    probe_every_seconds: int | None = None
    keys: tuple[KeyDetails, ...] = ()

    @property
    def has_failed_test(self) -> bool:
        """Whether the last live test came out badly."""
        return bool(self.test_result) and not self.test_result.startswith("ok")


def views(row: Connection, keys: Iterable[ProviderKey]) -> Iterator[ConnectionView]:
    """What routing needs: the connection, and as much again for each of its further keys that is in use."""
    first = view(row)
    yield first
    for key in keys:
        yield with_key(first, key)


def with_key(first: ConnectionView, key: ProviderKey) -> ConnectionView:
    """The connection as it is with another of its keys."""
    return replace(
        first,
        id=key.id,
        weight=key.weight,
        rpm=key.rpm,
        tpm=key.tpm,
        is_disabled=first.is_disabled or key.is_disabled,
        revision=key.revision,
        has_key=True,
        key_number=key.number,
        first_weight=first.weight,
    )


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
        probe_every_seconds=row.probe_every_seconds,
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


def details(row: Connection, keys: Iterable[ProviderKey] = ()) -> ConnectionDetails:
    """What an admin may know: everything but the keys."""
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
        probe_every_seconds=row.probe_every_seconds,
        keys=tuple(key_details(key) for key in keys),
    )


def key_details(key: ProviderKey) -> KeyDetails:
    """What an admin may know of one more key."""
    return KeyDetails(
        id=key.id,
        number=key.number,
        label=key.label,
        weight=key.weight,
        rpm=key.rpm,
        tpm=key.tpm,
        is_disabled=key.is_disabled,
        key_hint=key.key_hint,
        key_fingerprint=key.key_fingerprint,
        created_us=key.created_us,
        tested_us=key.tested_us,
        test_result=key.test_result,
    )


def _stated(row: Connection) -> tuple[Stated, ...]:
    """What is stated of its models, in a form that can be remembered by."""
    return tuple(
        (model, name, tuple(value) if isinstance(value, list) else value)
        for model, name, value in row.capabilities or ()
    )
