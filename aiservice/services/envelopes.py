"""Envelopes as rows: what each is bound to, how it is made and opened, and what a caller is told when it does not."""

from typing import TypedDict

from aiservice.errors import Overloaded
from aiservice.kit import crypto
from aiservice.kit.clock import now_us
from aiservice.kit.secret import Secret
from aiservice.tables import SealedSecret


class Binding(TypedDict):
    """What an envelope belongs to; it opens for exactly these values and no others."""

    purpose: str
    row_id: str
    owner: str
    provider: str
    base_url: str
    revision: int


def aad_of(binding: Binding) -> bytes:
    """The bytes that an envelope for `binding` is bound to."""
    fields: dict[str, str | int] = {
        "owner": binding["owner"],
        "row": binding["row_id"],
        "provider": binding["provider"],
        "base_url": binding["base_url"],
        "revision": binding["revision"],
    }
    return crypto.bind(binding["purpose"], fields)


def make(binding: Binding, secret: Secret, kek: Secret, kek_version: int) -> SealedSecret:
    """A new envelope under a data key of its own."""
    aad = aad_of(binding)
    dek = crypto.new_key()
    return SealedSecret(
        purpose=binding["purpose"],
        row_id=binding["row_id"],
        revision=binding["revision"],
        kek_version=kek_version,
        wrapped_dek=crypto.wrap(kek.reveal(), kek_version, dek, aad),
        sealed=crypto.seal(dek, secret.reveal(), aad),
        bound=aad,
        created_us=now_us(),
    )


def open_row(row: SealedSecret, kek: Secret, aad: bytes) -> Secret:
    """The secret in `row`, if it was sealed for `aad`.

    Raises:
        BadEnvelope: it was not, or it was changed.
    """
    dek = crypto.unwrap(kek.reveal(), row.kek_version, row.wrapped_dek, aad)
    return Secret(crypto.unseal(dek, row.sealed, aad))


def is_whole(row: SealedSecret, kek: Secret | None) -> bool:
    """Whether `row` opens for what it says itself to be bound to."""
    if kek is None:
        return False
    try:
        open_row(row, kek, row.bound)
    except crypto.BadEnvelope:
        return False
    return True


def sealed_error() -> Overloaded:
    """The vault has no usable master key."""
    return Overloaded(
        "The broker is sealed: it has no usable master key. An admin finds the reason in the server's log.",
        code="sealed",
        retry_after=30,
    )


def integrity_error() -> Overloaded:
    """An envelope was made for something else, or was changed."""
    return Overloaded(
        "A stored key does not belong to what it is used for, so it is not used. An admin must set it again.",
        code="secret_integrity",
    )


def missing_error() -> Overloaded:
    """There is no envelope of that name."""
    return Overloaded("A stored key is missing. An admin can set it again.", code="secret_missing")
