"""Prices that an admin sets for a model of a kind of provider: they go before the published ones, from then on.

What was charged before stays: the ledger holds amounts, not prices.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aiservice.errors import Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.connection_rules import is_model_name, known_kind
from aiservice.services.names import no_such
from aiservice.services.own_amounts import clean_amounts
from aiservice.services.prices import Prices
from aiservice.services.reload import Reload
from aiservice.services.rights import needs
from aiservice.store import own_prices as store
from aiservice.store.session import Database
from aiservice.store.turns import CONFIGURATION, take_turn
from aiservice.tables import OwnPrice

_MAX_REASON = 300


@dataclass(slots=True, frozen=True)
class OwnPriceView:
    """A price as an admin set it. `amounts` are USD as text (`services/own_amounts.py`); `set_us` microseconds UTC."""

    kind: str
    model: str
    amounts: Mapping[str, str]
    reason: str
    set_by: str
    set_us: int


class OwnPrices:
    """Admins set and clear them; every worker goes by them within a second."""

    def __init__(self, db: Database, changes: ChangeFeed, prices: Prices) -> None:
        self._db = db
        self._changes = changes
        self._prices = prices
        self._reload = Reload(self.refresh)
        changes.subscribe(self._on_change)

    async def refresh(self) -> None:
        """Reads them anew. Call once after the change feed's first poll; the feed does the rest."""
        async with self._db.read() as session:
            rows = await store.everything(session)
        self._prices.go_by({(row.kind, row.model): row.amounts for row in rows})

    @needs("price.list")
    async def list(self, actor: Person) -> list[OwnPriceView]:
        """All of them, by kind and model. Raises: PermissionDenied."""
        async with self._db.read() as session:
            return [_view(row) for row in await store.everything(session)]

    @needs("price.set")
    async def set(self, actor: Person, kind: str, model: str, amounts: Mapping[str, str], reason: str) -> OwnPriceView:
        """From now on the model costs this; what is left out of `amounts` has no price.

        Raises:
            PermissionDenied: the actor is no admin.
            Unprocessable: no such kind, no model's name, no reason, or an amount is none; `param` names it.
        """
        clean, why = clean_amounts(amounts), _clean_reason(reason)
        if known_kind(kind).is_local:
            raise Unprocessable("What is built in costs nothing.", code="built_in", param="kind")
        if not is_model_name(model):
            raise Unprocessable("That is not a model's name.", code="invalid_model", param="model")
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            row = await store.find(session, kind, model)
            before = None if row is None else {"amounts": dict(row.amounts), "reason": row.reason}
            if row is None:
                row = OwnPrice(id=new_id("prc"), kind=kind, model=model, amounts={}, reason="", set_by="", set_us=0)
            row.amounts, row.reason, row.set_by, row.set_us = clean, why, actor.email, now_us()
            session.add(row)
            after = {"amounts": clean, "reason": why}
            record(session, actor, "price.set", f"{kind}/{model}"[:120], before=before, after=after)
            self._changes.publish(session, "price", row.id)
        await self.refresh()
        return _view(row)

    @needs("price.clear")
    async def clear(self, actor: Person, kind: str, model: str) -> None:
        """Goes by what is published again.

        Raises:
            PermissionDenied: the actor is no admin. NotFound: there is no own price of that model.
        """
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            row = await store.find(session, kind, model)
            if row is None:
                known = [f"{each.kind}/{each.model}" for each in await store.everything(session)]
                raise no_such("own price", f"{kind}/{model}", known)
            before = {"amounts": dict(row.amounts), "reason": row.reason}
            await store.remove(session, row.id)
            record(session, actor, "price.clear", f"{kind}/{model}"[:120], before=before)
            self._changes.publish(session, "price", row.id)
        await self.refresh()

    def _on_change(self, kind: str, _subject: str) -> None:
        if kind == "price":
            self._reload.request()


def _view(row: OwnPrice) -> OwnPriceView:
    return OwnPriceView(row.kind, row.model, dict(row.amounts), row.reason, row.set_by, row.set_us)


def _clean_reason(reason: str) -> str:
    text = " ".join(reason.split())
    if not text or len(text) > _MAX_REASON or not text.isprintable():
        raise Unprocessable(
            f"Say why, in up to {_MAX_REASON} characters: it stands beside the price and in the audit log.",
            code="reason_required",
            param="reason",
        )
    return text
