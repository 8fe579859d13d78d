"""Management by programs: people's access tokens, and calls that came with an Idempotency-Key."""

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field

from aiservice.tables._base import Table, big


class PersonalToken(Table, table=True):
    """An access token by which a program acts for a person. Of its text only a keyed `digest` is kept, and the part
    that may be shown. `may_write`: else it reads."""

    __tablename__ = "personal_token"

    id: str = Field(primary_key=True, max_length=40)
    user_id: str = Field(index=True, foreign_key="person.id", max_length=40)
    name: str = Field(max_length=100)
    public_id: str = Field(unique=True, index=True, max_length=12)
    digest: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    may_write: bool = False
    created_us: int = big()
    expires_us: int = big()
    revoked_us: int | None = big(nullable=True)
    last_used_us: int | None = big(nullable=True)
    last_address: str = Field(default="", max_length=64)


class ManagementCall(Table, table=True):
    """The one call of a person's Idempotency-Key. `name` is a MAC of key and route, `fingerprint` one of the body.

    `state` is `running` until `lease_us` at most, `done` from the very commit of what the call did, and `answered` once
    its answer is kept: sealed, and without any secret that it gave out.
    """

    __tablename__ = "management_call"

    user_id: str = Field(primary_key=True, foreign_key="person.id", max_length=40)
    name: str = Field(primary_key=True, max_length=64)
    fingerprint: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    request_id: str = Field(max_length=40)
    state: str = Field(max_length=10)
    lease_us: int = big()
    expires_us: int = big(index=True)
    status: int | None = Field(default=None)
    answer: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
