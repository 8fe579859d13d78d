"""People: accounts, their portal sessions, one-time links, and what the sign-in limiter has seen."""

from sqlalchemy import JSON, Column
from sqlmodel import Field

from aiservice.tables._base import Table, big, row_number


class User(Table, table=True):
    """A person. `email` is stored lower case; `role` is "admin" or "developer". What they have set for themselves is
    empty until they do: their time zone (an IANA name), the kinds of alerts of which they want no mail, and whether a
    digest comes "daily", `digest_us` when the last one did."""

    __tablename__ = "person"

    id: str = Field(primary_key=True, max_length=40)
    email: str = Field(unique=True, index=True, max_length=320)
    password_hash: str = Field(max_length=512)
    role: str = Field(max_length=16)
    is_disabled: bool = False
    created_us: int = big()
    time_zone: str | None = Field(default=None, max_length=64)
    portal_only: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    digest: str | None = Field(default=None, max_length=8)
    digest_us: int | None = big(nullable=True)


class PortalSession(Table, table=True):
    """A signed-in browser. `id_hash` is SHA-256 (hex) of the cookie; the cookie itself is kept nowhere. `confirmed_us`:
    when its person last said their password again."""

    __tablename__ = "portal_session"

    id_hash: str = Field(primary_key=True, max_length=64)
    user_id: str = Field(index=True, foreign_key="person.id", max_length=40)
    created_us: int = big()
    last_seen_us: int = big()
    expires_us: int = big()
    confirmed_us: int | None = big(nullable=True)
    address: str = Field(default="", max_length=64)
    user_agent: str = Field(default="", max_length=256)


class OneTimeLink(Table, table=True):
    """A single-use link: `purpose` is "setup", "invite" or "reset". Only SHA-256 (hex) of the token is kept."""

    __tablename__ = "one_time_link"

    token_hash: str = Field(primary_key=True, max_length=64)
    purpose: str = Field(max_length=16)
    email: str | None = Field(default=None, max_length=320)
    role: str | None = Field(default=None, max_length=16)
    created_us: int = big()
    expires_us: int = big()
    used_us: int | None = big(nullable=True)


class SignInAttempt(Table, table=True):
    """A failed sign-in, counted per account and per address; `subject` is a hash of either."""

    __tablename__ = "sign_in_attempt"

    id: int | None = row_number()
    subject: str = Field(index=True, max_length=64)
    at_us: int = big(index=True)
