"""What admins change of a connection besides its key and address: none of it asks for the key again."""

from collections.abc import Sequence

from aiservice.kit.clock import now_us
from aiservice.principal import Person
from aiservice.providers.capabilities import Stated
from aiservice.services import connection_rules as rules
from aiservice.services.audit_entry import record
from aiservice.services.connection_snapshot import ConnectionSnapshot
from aiservice.services.connection_views import ConnectionDetails, details
from aiservice.services.names import no_such
from aiservice.services.probe import ProbeResult
from aiservice.services.rights import needs
from aiservice.store import connections as store
from aiservice.store.session import AsyncSession
from aiservice.store.turns import CONFIGURATION, take_turn
from aiservice.tables import Connection

Names = list[str]
_MAX_RESULT = 300


class ConnectionChanges(ConnectionSnapshot):
    """Raises PermissionDenied for who is no admin, NotFound where there is no such connection."""

    @needs("connection.change")
    async def set_models(self, actor: Person, name_or_id: str, models: Names) -> ConnectionDetails:
        """Replaces the list of models. Raises as `set_key`."""
        return await self._change(actor, name_or_id, models=rules.clean_models(models) or [])

    @needs("connection.change")
    async def set_quota(self, actor: Person, name_or_id: str, rpm: int | None, tpm: int | None) -> ConnectionDetails:
        """Says what the provider gives in a minute; None leaves one as it is, 0 takes it away. Raises as `set_key`."""
        quota = rules.clean_quota(rpm, tpm)
        given = {name: amount for name, amount in (("rpm", rpm), ("tpm", tpm)) if amount is not None}
        return await self._change(actor, name_or_id, **{name: quota[name] for name in given})

    @needs("connection.change")
    async def set_probe_interval(self, actor: Person, name_or_id: str, every_seconds: int | None) -> ConnectionDetails:
        """How often it is asked for its models; 0: never; None: as often as the settings say. Raises as `set_key`."""
        return await self._change(actor, name_or_id, probe_every_seconds=rules.clean_probe_interval(every_seconds))

    @needs("connection.change")
    async def set_weight(self, actor: Person, name_or_id: str, weight: int) -> ConnectionDetails:
        """Its place among connections, and its first key's share among its keys. Raises as `set_key`."""
        return await self._change(actor, name_or_id, weight=rules.clean_weight(weight))

    @needs("connection.change")
    async def set_capabilities(self, actor: Person, name_or_id: str, stated: Sequence[Stated]) -> ConnectionDetails:
        """Says what its models can do, instead of what was said (`stated_capabilities`). Raises as `set_key`."""
        return await self._change(actor, name_or_id, capabilities=[list(each) for each in stated] or None)

    @needs("connection.change")
    async def set_data(self, actor: Person, name_or_id: str, stated: rules.Stated) -> ConnectionDetails:
        """States what the provider does with data; what is not in `stated` stays as it is. Raises as `set_key`."""
        return await self._change(actor, name_or_id, **rules.clean_data(stated))

    @needs("connection.disable")
    async def disable(self, actor: Person, name_or_id: str) -> ConnectionDetails:
        """Routing leaves the connection out from now on (≤ 1 s). Raises as `set_key`."""
        return await self._change(actor, name_or_id, is_disabled=True)

    @needs("connection.enable")
    async def enable(self, actor: Person, name_or_id: str) -> ConnectionDetails:
        """Takes `disable` back. Raises as `set_key`."""
        return await self._change(actor, name_or_id, is_disabled=False)

    @needs("connection.test")
    async def record_test(self, actor: Person, name_or_id: str, result: ProbeResult) -> ConnectionDetails:
        """Keeps what a live test found. Raises as `set_key`."""
        return await self._change(actor, name_or_id, tested_us=now_us(), test_result=result.summary[:_MAX_RESULT])

    async def _change(self, actor: Person, name_or_id: str, **values: object) -> ConnectionDetails:
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            row = await existing(session, name_or_id)
            if all(getattr(row, field) == value for field, value in values.items()):
                return details(row)  # nobody need begin anew with it
            if "tested_us" not in values:  # a test changes nothing
                before = {field: getattr(row, field) for field in values}
                record(session, actor, "connection.change", row.id, before=before, after=values)
            for field, value in values.items():
                setattr(row, field, value)
            self._changes.publish(session, "connection", row.id)
        await self.refresh()
        return details(row)


async def existing(session: AsyncSession, name_or_id: str) -> Connection:
    """The connection of that name or id. Raises: NotFound."""
    row = await store.find(session, name_or_id)
    if row is None:
        raise no_such("provider connection", name_or_id, await store.names(session))
    return row
