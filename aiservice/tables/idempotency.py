"""Requests that came with an Idempotency-Key, as every process sees them."""

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field

from aiservice.tables._base import Table, big


class IdempotentCall(Table, table=True):
    """The one call of a client's key. `name` is a MAC of the key, its route and the caller's rights, `fingerprint` one
    of the body: neither can be guessed at by who reads the table.

    `state` is `running` until `lease_us` at most (`holder` is a worker; `fence` counts how often it was begun anew),
    `answered` (the answer is a sealed body) or `unkept` (it was answered, but the answer could not be kept).

    `settlement` is the call's row of the ledger as it stands in a journal, written with the answer: who adopts the
    journal of a worker that died between the two takes it from here. A stream that can be resumed has a `surface`
    (whose words it speaks) and `rights` (a MAC of what its caller may do).
    """

    __tablename__ = "idempotent_call"

    client_id: str = Field(primary_key=True, foreign_key="client.id", max_length=40)
    name: str = Field(primary_key=True, max_length=64)
    fingerprint: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    request_id: str = Field(max_length=40, index=True)
    state: str = Field(max_length=10)
    holder: str = Field(max_length=40)
    fence: int
    lease_us: int = big()
    created_us: int = big()
    expires_us: int = big(index=True)
    settlement: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    rights: bytes | None = Field(default=None, sa_column=Column(LargeBinary(32), nullable=True))
    surface: str | None = Field(default=None, max_length=30)


class Replay(Table, table=True):
    """A request that got the answer of another, `original_id`. It is in no ledger: nothing was asked or billed."""

    __tablename__ = "answer_replay"

    request_id: str = Field(primary_key=True, max_length=40)
    original_id: str = Field(index=True, max_length=40)
    replayed_us: int = big(index=True)
