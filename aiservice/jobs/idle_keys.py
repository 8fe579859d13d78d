"""Says which keys work and are used by nobody: each is a way in that nobody would miss."""

from aiservice.kit.clock import DAY_US, SECOND_US
from aiservice.principal import OPERATOR
from aiservice.services.alert_notes import Severity
from aiservice.services.core import Core
from aiservice.services.key_policy import IDLE_US

KIND, SUBJECT = "idle_keys", "client keys"
_NAMED, _MOST = 3, 50


async def note_idle_keys(core: Core) -> None:
    """One alert for all of them, counted again while there are any, over when there are none."""
    idle = await core.keys.list(OPERATOR, idle_seconds=IDLE_US // SECOND_US, limit=_MOST)
    if not idle:
        core.alerts.over(KIND, SUBJECT)
        return
    names = ", ".join(f"'{key.name}' of {key.client}" for key in idle[:_NAMED])
    count = f"{len(idle)} keys work and were" if len(idle) > 1 else "A key works and was"
    more = "" if len(idle) <= _NAMED else " and others"
    core.alerts.note(
        KIND,
        SUBJECT,
        f"{count} not used for {IDLE_US // DAY_US} days: {names}{more}. Revoke what nobody needs: key list --idle 90d",
        severity=Severity.INFO,
        evidence={"keys": [key.id for key in idle]},
    )
