"""Prices that an admin has set: they go before what is published."""

from sqlalchemy import JSON, Column, UniqueConstraint
from sqlmodel import Field

from aiservice.tables._base import Table, big


class OwnPrice(Table, table=True):
    """What a model of a kind of provider costs here. `amounts` are decimals of USD as text, by the names of
    `services/own_prices.py`."""

    __tablename__ = "own_price"
    __table_args__ = (UniqueConstraint("kind", "model", name="uq_own_price_kind_model"),)

    id: str = Field(primary_key=True, max_length=40)
    kind: str = Field(max_length=40)
    model: str = Field(max_length=200)
    amounts: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    reason: str = Field(max_length=300)
    set_by: str = Field(max_length=320)
    set_us: int = big()
