"""Single sign-on: who else knows our people (OpenID Connect), whom they know, and sign-ins under way with them."""

from sqlalchemy import JSON, Column, LargeBinary, Text
from sqlmodel import Field

from aiservice.tables._base import Table, big


class SsoProvider(Table, table=True):
    """An OpenID provider. Its client secret is in the vault. `domains`, `admin_groups` and `developer_groups` are lists
    of texts; `role_claim` "" leaves roles alone. `revision` changes with whatever a call to it goes by."""

    __tablename__ = "sso_provider"

    id: str = Field(primary_key=True, max_length=40)
    name: str = Field(unique=True, index=True, max_length=32)
    label: str = Field(max_length=60)
    issuer: str = Field(max_length=512)
    client_id: str = Field(max_length=255)
    has_secret: bool = False
    scopes: str = Field(max_length=300)
    domains: list[str] = Field(sa_column=Column(JSON, nullable=False))
    role_claim: str = Field(default="", max_length=200)
    admin_groups: list[str] = Field(sa_column=Column(JSON, nullable=False))
    developer_groups: list[str] = Field(sa_column=Column(JSON, nullable=False))
    makes_accounts: bool = True
    trusts_addresses: bool = False
    asks_second_factor: bool = False
    is_private_allowed: bool = False
    is_enabled: bool = False
    revision: int = 1
    created_us: int = big()
    tried_us: int | None = big(nullable=True)
    tried: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class SsoIdentity(Table, table=True):
    """Who somebody is to an issuer: from the first sign-in on, this and not an address names the person."""

    __tablename__ = "sso_identity"

    issuer: str = Field(primary_key=True, max_length=512)
    subject: str = Field(primary_key=True, max_length=255)
    user_id: str = Field(index=True, foreign_key="person.id", max_length=40)
    created_us: int = big()
    last_used_us: int = big()


class SsoAttempt(Table, table=True):
    """Somebody is with a provider and will be back. `id_hash` is SHA-256 (hex) of a cookie that opens nothing;
    `session_hash` names the session that waits for it, if one does."""

    __tablename__ = "sso_attempt"

    id_hash: str = Field(primary_key=True, max_length=64)
    provider_id: str = Field(max_length=40)
    purpose: str = Field(max_length=16)
    next_path: str = Field(default="/", max_length=512)
    session_hash: str = Field(default="", max_length=64)
    created_us: int = big()
    expires_us: int = big(index=True)


class SsoSession(Table, table=True):
    """A portal session that a provider opened, for signing out there too. `id_token` is sealed."""

    __tablename__ = "sso_session"

    session_hash: str = Field(primary_key=True, max_length=64)
    provider_id: str = Field(max_length=40)
    id_token: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_us: int = big(index=True)


class SsoRule(Table, table=True):
    """The one row (id 1) that says whether passwords are off, and for whom they are not: one admin, by id."""

    __tablename__ = "sso_rule"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    is_required: bool = False
    break_glass_id: str | None = Field(default=None, max_length=40)
