"""What bodies, queries and answers of the management API have in common. Bodies are strict: a field that is not known
is named and refused, and no text is taken for a number."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from aiservice.kit.clock import iso
from aiservice.kit.money import to_usd_text

MAX_LIMIT = 200
T = TypeVar("T")


class Given(BaseModel):
    """A body."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """A query: texts, read as what its fields are."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)

    @property
    def etag(self) -> str | None:
        """Its validator, where it has one of its own; None: what it says, hashed."""
        return None


class PageQuery(Query):
    """Which page of a list."""

    limit: int = Field(default=50, ge=1, le=MAX_LIMIT, description="How many at most.")
    cursor: str | None = Field(default=None, max_length=2_000, description="`next_cursor` of the page before.")


class Page(Told, Generic[T]):
    """Part of a list, in an order that stays. `next_cursor` is null on the last page."""

    data: list[T]
    next_cursor: str | None


class Money(Told):
    """An exact amount, as a decimal in a text."""

    amount: str
    currency: str = "USD"

    @classmethod
    def of_nano(cls, nano_usd: int) -> "Money":
        return cls(amount=to_usd_text(nano_usd))

    @classmethod
    def of(cls, nano_usd: int | None) -> "Money | None":
        return None if nano_usd is None else cls.of_nano(nano_usd)


class Gone(Told):
    """How many were removed."""

    removed: int


@dataclass(slots=True, frozen=True)
class CsvLines:
    """An answer of many lines, given as they are read."""

    name: str
    lines: AsyncIterator[str]


def one_of(*words: str) -> Any:
    """Of a text in an answer: it is one of these. Services say so; the description does, too."""
    return Field(json_schema_extra={"enum": list(words)})


Name = Annotated[str, Field(min_length=1, max_length=100)]
Names = Annotated[list[Annotated[str, Field(min_length=1, max_length=300)]], Field(max_length=200)]
Amounts = dict[str, int]
At = Annotated[str, Field(description="RFC 3339, UTC.", json_schema_extra={"format": "date-time"})]


def at(time_us: int) -> str:
    """A time as answers tell it."""
    return iso(time_us) or ""


def texts(names: tuple[str, ...] | list[str] | None) -> list[str] | None:
    """An allowed set as answers tell it; null is no restriction."""
    return None if names is None else list(names)
