"""Short-lived tokens: the keys that sign them, and those that were ended before their time."""

from sqlmodel import Field

from aiservice.tables._base import Table, big


class TokenKey(Table, table=True):
    """A signing key; its private half is in the vault under the same name, and so is all that makes it believed.

    Of all keys the one with the latest `signs_from_us` that has come signs; a later one is the next.
    """

    __tablename__ = "token_key"

    kid: str = Field(primary_key=True, max_length=32)
    signs_from_us: int = big()
    created_us: int = big()


class EndedToken(Table, table=True):
    """A token (by its `jti`) of a key that is refused though it has not expired; of no use after `expires_us`."""

    __tablename__ = "ended_token"

    key_id: str = Field(primary_key=True, max_length=40)
    id: str = Field(primary_key=True, max_length=40)
    expires_us: int = big(index=True)
