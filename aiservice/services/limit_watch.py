"""Tells people when a limit refuses a client's requests again and again: whoever set it, and the client's owner, may
not know that it binds.

Counted in memory, by each worker for itself. One refusal is what limits are for; a number of them in a minute is an
alert, which ends by itself once there are no more.
"""

import time
from collections.abc import Callable

from aiservice.errors import BrokerError
from aiservice.principal import Principal
from aiservice.services.alert_notes import AlertNotes

KIND = "limit_reached"
LEAST_REFUSED = 10
"""So many in a minute, of one client by one kind of limit, and it is told."""
_ENDS_AFTER_SECONDS = 300.0
_MOST_COUNTED = 10_000


class LimitWatch:
    """What limits have refused in this minute."""

    def __init__(self, alerts: AlertNotes, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._alerts = alerts
        self._clock = clock
        self._minute = 0
        self._refused: dict[tuple[str, str], int] = {}

    def refused(self, principal: Principal, error: BrokerError) -> None:
        """A request of this caller failed; it is counted where one of its limits was why."""
        if error.status != 429 or not error.code.startswith("client_"):
            return
        minute = int(self._clock() // 60)
        if minute != self._minute or len(self._refused) >= _MOST_COUNTED:
            self._minute = minute
            self._refused.clear()
        counted = (principal.client_id, error.code)
        count = self._refused[counted] = self._refused.get(counted, 0) + 1
        if count == LEAST_REFUSED:
            self._tell(principal, error)

    def _tell(self, principal: Principal, error: BrokerError) -> None:
        self._alerts.note(
            KIND,
            f"{principal.client_id}:{error.code}",
            f"A limit keeps refusing requests of the client '{principal.client_name}' ({error.code}, {LEAST_REFUSED} "
            f"and more in a minute). The last of them was told: {error.message}",
            client_id=principal.client_id,
            evidence={"code": error.code, "client": principal.client_name, "key": principal.key_id},
            ends_after_seconds=_ENDS_AFTER_SECONDS,
        )
