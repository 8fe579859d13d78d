"""Alerts on a clock: every worker notes what it sees of itself and sends what is due; one of all looks at the rules."""

from aiservice.services.alert_notes import Severity
from aiservice.services.core import Core

LOOK_SECONDS = 15.0
LOOK_NAME = "alert rules"
SELF_SECONDS = 10.0
POST_SECONDS = 2.0
_ENDS_AFTER_SECONDS = 60.0
_LAG_SECONDS = 30.0
_QUOTA_SECONDS = 90.0  # a minute's quota is back by then: what is away longer is a day's, or an account's


async def note_own_state(core: Core) -> None:
    """Notes what is wrong as this worker sees it. It is over once no worker has said it for a minute."""
    alerts = core.alerts
    names = {view.id: view.key_name for view in core.connections.snapshot()}
    for connection_id, code in core.health.open_connections().items():
        name = names.get(connection_id, connection_id)
        words = f"The provider connection '{name}' does not answer. It is left alone but for one try every 5 seconds."
        alerts.note(
            "provider_down",
            name,
            words,
            severity=Severity.CRITICAL,
            evidence={"connection": name, "last_error": code},
            ends_after_seconds=_ENDS_AFTER_SECONDS,
        )
    note_used_quotas(core)
    lag = core.ledger.lag_seconds
    if lag > _LAG_SECONDS:
        alerts.note(
            "ledger_lag",
            "ledger",
            "Settled requests have waited for the database for 30 seconds and more. Look at the database and its disk.",
            severity=Severity.CRITICAL,
            evidence={"seconds": round(lag), "rows": core.ledger.waiting},
            ends_after_seconds=_ENDS_AFTER_SECONDS,
        )
    if core.shared is not None and not core.shared.is_up:
        alerts.note(
            "redis_down",
            "redis",
            "A worker has to do without Redis: limits are split between workers, and edits take seconds.",
            evidence={"worker": core.cluster.worker_id},
            ends_after_seconds=_ENDS_AFTER_SECONDS,
        )


def note_used_quotas(core: Core) -> None:
    """Notes which providers give nothing for longer than a minute's quota takes to come back."""
    for used in core.quotas.used_up(_QUOTA_SECONDS):
        name, model = used["connection"], used["model"]
        core.alerts.note(
            "quota",
            f"{name}:{model}" if model else name,
            f"The quota of '{name}'{f' for {model}' if model else ''} is used up. Its requests go to the next in their "
            "chains. Raise it with the provider, or put another connection behind it: provider list --json shows more.",
            evidence=used,
            ends_after_seconds=_ENDS_AFTER_SECONDS,
        )


async def look(core: Core) -> None:
    """Evaluates the rules; not while the vault is sealed, since the database is not ours then."""
    if not core.vault.is_sealed:
        await core.alerts.watch.look()


async def deliver(core: Core) -> None:
    """Begins what is due; likewise."""
    if not core.vault.is_sealed:
        await core.alerts.post.look()
