"""Every look at a key's sealed copy."""

from sqlmodel import Field

from aiservice.tables._base import Table, big, row_number


class KeyReveal(Table, table=True):
    """A person was shown a secret again. The counts that hold such looks down are counts of these rows."""

    __tablename__ = "key_reveal"

    id: int | None = row_number()
    user_id: str = Field(max_length=40)
    key_id: str = Field(max_length=40)
    public_id: str = Field(max_length=12)
    at_us: int = big(index=True)
