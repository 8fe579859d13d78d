"""Which master keys a process can use with this database, worked out from check values and bridges.

While a rotation from version 1 to 2 is under way the database holds two *bridges*: key 2 wrapped under key 1, by which
a running process that was started with key 1 follows, and key 1 wrapped under key 2, by which a process started with
key 2 opens what has not been moved yet. Both go when the rotation ends.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aiservice.kit import crypto
from aiservice.kit.clock import now_us
from aiservice.kit.secret import Secret
from aiservice.tables import MasterKeyVersion


class Locked(Exception):
    """The keys at hand do not open this database; the message says why and what to do. It names no secret."""


@dataclass(slots=True, frozen=True)
class Keyring:
    """Usable master keys by version, and the random root that everything derived comes from."""

    active: int
    keys: Mapping[int, Secret] = field(repr=False)
    root: Secret = field(repr=False)


def unlock(versions: Sequence[MasterKeyVersion], at_hand: Iterable[Secret]) -> Keyring:
    """The keyring that `at_hand` gives for a database with `versions`.

    Raises:
        Locked: the active version's key is neither at hand nor behind a bridge.
    """
    keys = _recognised(versions, list(at_hand))
    _cross_bridges(versions, keys)
    active = next((row for row in versions if row.is_active), None)
    if active is None or active.version not in keys:
        raise Locked(
            "The master key is not the one this database was sealed with. Start with the right key; the data is intact."
        )
    try:
        root = crypto.unwrap(keys[active.version].reveal(), active.version, active.wrapped_pepper, _PEPPER)
    except crypto.BadEnvelope:
        raise Locked("The master key is right, but the pepper sealed under it was changed. Restore a backup.") from None
    return Keyring(active.version, keys, Secret(root))


def first_version(key: Secret) -> MasterKeyVersion:
    """The row of a new installation, with a new root."""
    return _version(1, key, crypto.new_key())


def next_version(ring: Keyring, key: Secret, *, is_bridged: bool) -> MasterKeyVersion:
    """The row that starts a rotation of `ring` to `key`; not `is_bridged` leaves out the way from the old key."""
    row = _version(ring.active + 1, key, ring.root.reveal())
    old, new = ring.keys[ring.active].reveal(), key.reveal()
    row.wrapped_previous = crypto.wrap(new, row.version, old, _bridge(ring.active))
    if is_bridged:
        row.wrapped_by_previous = crypto.wrap(old, ring.active, new, _bridge(row.version))
    return row


def is_check_of(row: MasterKeyVersion, key: Secret) -> bool:
    """Whether `key` is the master key of `row`."""
    return crypto.check_value(key.reveal()) == row.check_value


_PEPPER = crypto.bind("pepper_root", {})


def _bridge(version: int) -> bytes:
    return crypto.bind("master_key_bridge", {"version": version})


def _version(number: int, key: Secret, root: bytes) -> MasterKeyVersion:
    return MasterKeyVersion(
        version=number,
        check_value=crypto.check_value(key.reveal()),
        created_us=now_us(),
        wrapped_pepper=crypto.wrap(key.reveal(), number, root, _PEPPER),
    )


def _recognised(versions: Sequence[MasterKeyVersion], at_hand: list[Secret]) -> dict[int, Secret]:
    by_check = {crypto.check_value(key.reveal()): key for key in at_hand}
    return {row.version: by_check[row.check_value] for row in versions if row.check_value in by_check}


def _cross_bridges(versions: Sequence[MasterKeyVersion], keys: dict[int, Secret]) -> None:
    for row in versions:
        _cross(keys, row.version - 1, row.version, row.wrapped_by_previous)
    for row in reversed(versions):
        _cross(keys, row.version, row.version - 1, row.wrapped_previous)


def _cross(keys: dict[int, Secret], have: int, want: int, wrapped: bytes | None) -> None:
    if wrapped is None or have not in keys or want in keys:
        return
    try:
        keys[want] = Secret(crypto.unwrap(keys[have].reveal(), have, wrapped, _bridge(want)))
    except crypto.BadEnvelope:
        raise Locked("The bridge between two master keys was changed in the database. Restore a backup.") from None
