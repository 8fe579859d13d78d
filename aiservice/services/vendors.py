"""Vendors that speak OpenAI's wire, as rows of data: the built-in ones, and those that an admin adds.

An admin's rows are kept as they were written and become providers of this process (`providers.install`), here at once
and in every other process when its change feed says so. Fails closed: a row that this release cannot read is no
provider, and its connections serve nothing until it can.
"""

import asyncio
import logging
from dataclasses import dataclass

from aiservice.errors import NotFound, Unprocessable
from aiservice.kit.clock import now_us
from aiservice.principal import Person
from aiservice.providers import built_in, install
from aiservice.providers._base import Provider
from aiservice.providers.vendors import RowError, VendorRow, provider_of, row_from_toml, texts
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.connections import Connections
from aiservice.services.names import no_such, shown
from aiservice.services.reload import Reload
from aiservice.services.rights import needs
from aiservice.store import connections as connection_store
from aiservice.store import vendors as store
from aiservice.store.session import Database
from aiservice.store.turns import CONFIGURATION, take_turn
from aiservice.tables import Vendor

MAX_VENDORS = 200
_RESERVED = frozenset({"auto"})

log = logging.getLogger(__name__)


@dataclass(slots=True, frozen=True)
class VendorView:
    """A vendor as admins see it. `text` is its row as it was written; `connections` are the names of those of its kind;
    `problem` says why a stored row is no provider; `changed_us` is 0 for a built-in one."""

    kind: str
    title: str
    base_url: str
    text: str
    is_built_in: bool
    connections: tuple[str, ...] = ()
    changed_us: int = 0
    problem: str = ""


class Vendors:
    """Admins see and change them; what they are used for is a connection's."""

    def __init__(self, db: Database, changes: ChangeFeed, connections: Connections) -> None:
        self._db = db
        self._changes = changes
        self._connections = connections
        self._turn = asyncio.Lock()  # an older read must not overwrite a newer one
        self._reload = Reload(self.refresh)
        changes.subscribe(self._on_change)

    async def refresh(self) -> None:
        """Makes the stored rows this process's providers, and reads the connections anew: what is remembered of where
        to go goes by these."""
        async with self._turn, self._db.read() as session:
            install(provider for row in await store.everything(session) if (provider := _provider(row)) is not None)
        await self._connections.refresh()

    @needs("vendor.list")
    async def list(self, actor: Person) -> list[VendorView]:
        """The admin's own first, then the built-in ones, each by kind.

        Raises:
            PermissionDenied: the actor is no admin.
        """
        async with self._db.read() as session:
            used = await store.connections_by_kind(session)
            own = [_view(row, used) for row in await store.everything(session)]
        return own + [_built_in(kind, text, used) for kind, text in sorted(texts().items())]

    @needs("vendor.list")
    async def find(self, actor: Person, kind: str) -> VendorView:
        """One vendor.

        Raises:
            NotFound: there is none of that kind.
            PermissionDenied: as `list`.
        """
        known = await self.list(actor)
        for each in known:
            if each.kind == kind:
                return each
        raise no_such("vendor", kind, [each.kind for each in known])

    @needs("vendor.add")
    async def add(self, actor: Person, text: str, *, replaces: bool = False) -> VendorView:
        """Keeps a row and puts it to use; with `replaces` in the place of the stored one of its kind.

        Raises:
            PermissionDenied: the actor is no admin.
            Unprocessable: a field is not valid (named in `param`), the kind is taken, or there are too many.
            NotFound: there is none to replace.
        """
        row = _read(text)
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            stored = await store.find(session, row.kind)
            names = await connection_store.names(session)
            _check_kind(row.kind, names, is_stored=stored is not None, replaces=replaces)
            before = None if stored is None else _told(stored)
            if stored is None:
                if await store.count(session) >= MAX_VENDORS:
                    message = f"There are {MAX_VENDORS} vendors already. Remove one that nobody uses."
                    raise Unprocessable(message, code="too_many_vendors")
                stored = Vendor(kind=row.kind, text=text, created_us=now_us(), changed_us=now_us())
                session.add(stored)
            else:
                stored.text, stored.changed_us = text, now_us()
            action = "vendor.add" if before is None else "vendor.change"
            record(session, actor, action, row.kind, before=before, after=_told(stored))
            self._changes.publish(session, "vendor", row.kind)
            used = await store.connections_by_kind(session)
            made = _view(stored, used)
        await self.refresh()
        return made

    @needs("vendor.remove")
    async def remove(self, actor: Person, kind: str) -> None:
        """Removes a row that no connection uses.

        Raises:
            Unprocessable: it is built in, or connections are of its kind (`vendor_in_use`).
            NotFound, PermissionDenied: as `find`.
        """
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            stored = await store.find(session, kind)
            if stored is None:
                if kind in built_in():
                    raise Unprocessable(f"'{shown(kind)}' is built in and stays.", code="built_in", param="kind")
                raise no_such("vendor", kind, [row.kind for row in await store.everything(session)])
            used = (await store.connections_by_kind(session)).get(kind, [])
            if used:
                raise Unprocessable(
                    f"Connections are of the kind '{shown(kind)}': {', '.join(map(shown, used[:3]))}. Remove them "
                    f"first: provider remove {shown(used[0])}",
                    code="vendor_in_use",
                    param="kind",
                )
            await store.remove(session, kind)
            record(session, actor, "vendor.remove", kind, before=_told(stored))
            self._changes.publish(session, "vendor", kind)
        await self.refresh()

    def _on_change(self, kind: str, _subject: str) -> None:
        if kind == "vendor":
            self._reload.request()


def _read(text: str) -> VendorRow:
    try:
        return row_from_toml(text)
    except RowError as refused:
        raise Unprocessable(str(refused), code="invalid_vendor", param=refused.name) from None


def _check_kind(kind: str, connections: list[str], *, is_stored: bool, replaces: bool) -> None:
    if kind in built_in() or kind in _RESERVED:
        raise Unprocessable(
            f"'{shown(kind)}' is the kind of a built-in provider. Choose another, such as '{shown(kind)}-own'.",
            code="kind_taken",
            param="kind",
        )
    if is_stored and not replaces:
        raise Unprocessable(
            f"There is a vendor '{shown(kind)}' already. To change it, replace it (on the command line: --replace).",
            code="kind_taken",
            param="kind",
        )
    if replaces and not is_stored:
        raise NotFound(f"There is no vendor '{shown(kind)}' to replace. Add it.", code="not_found", param="kind")
    if not is_stored and kind in connections:
        raise Unprocessable(
            f"A connection is called '{shown(kind)}', and models are asked for by either name. Choose another kind.",
            code="kind_taken",
            param="kind",
        )


def _provider(row: Vendor) -> Provider | None:
    try:
        return provider_of(row_from_toml(row.text))
    except RowError as refused:
        log.warning("The vendor '%s' is not used: %s", row.kind, refused)
        return None


def _view(row: Vendor, used: dict[str, list[str]]) -> VendorView:
    names = tuple(used.get(row.kind, ()))
    try:
        read = row_from_toml(row.text)
    except RowError as refused:
        return VendorView(row.kind, row.kind, "", row.text, False, names, row.changed_us, str(refused))
    return VendorView(row.kind, read.title, read.base_url, row.text, False, names, row.changed_us)


def _built_in(kind: str, text: str, used: dict[str, list[str]]) -> VendorView:
    provider = built_in()[kind]
    return VendorView(kind, provider.title, provider.default_base_url or "", text, True, tuple(used.get(kind, ())))


def _told(row: Vendor) -> dict[str, object]:
    """A vendor as the audit log tells of it."""
    return {"kind": row.kind, "row": row.text}
