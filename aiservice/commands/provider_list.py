"""`provider list`: the connections with what is known of them; a key only by its last four characters."""

from typing import Any

from aiservice.commands.console import JsonFlag, show_table
from aiservice.commands.opening import run
from aiservice.kit.clock import iso
from aiservice.principal import OPERATOR
from aiservice.services import health_views
from aiservice.services.connection_views import ConnectionDetails
from aiservice.services.core import Core
from aiservice.services.quotas import seen

_COLUMNS = ("name", "kind", "base_url", "disabled", "key_hint", "keys", "models", "gives", "test_result")


def list_connections(as_json: JsonFlag = False) -> None:
    """List the connections; their keys only by the last four characters. GIVES is what each provider gives in a minute,
    as an admin said it, as it told us, or as we learned it from its refusals."""

    async def work(core: Core) -> list[dict[str, Any]]:
        quotas = seen(OPERATOR, core.board)
        health = health_views.seen(OPERATOR, core.board)
        return [_row(row, quotas, health) for row in await core.connections.list(OPERATOR)]

    rows = run(work, as_json=as_json)
    shown = rows if as_json else [{**row, "keys": 1 + len(row["keys"])} for row in rows]
    show_table(shown, _COLUMNS, as_json=as_json, empty="There are no connections yet.")


def _row(row: ConnectionDetails, quotas: list[dict[str, Any]], health: dict[str, Any]) -> dict[str, Any]:
    own = [quota for quota in quotas if quota["connection_id"] == row.id]
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "base_url": row.base_url,
        "private": row.is_private_allowed,
        "disabled": row.is_disabled,
        "weight": row.weight,
        "rpm": row.rpm,
        "tpm": row.tpm,
        "data_collection": row.data_collection,
        "zdr": row.is_zdr,
        "region": row.region,
        "probe_every_seconds": row.probe_every_seconds,
        "quotas": own,
        "gives": _gives(own),
        "health": health.get(row.id),
        "models": row.models,
        "client_id": row.owner_client_id,
        "key_hint": row.key_hint,
        "key_fingerprint": row.key_fingerprint,
        "keys": [
            {
                "id": key.id,
                "number": key.number,
                "label": key.label,
                "weight": key.weight,
                "disabled": key.is_disabled,
                "key_hint": key.key_hint,
                "test_result": key.test_result,
                "quotas": [quota for quota in quotas if quota["connection_id"] == key.id],
                "health": health.get(key.id),
            }
            for key in row.keys
        ],
        "created_at": iso(row.created_us),
        "tested_at": iso(row.tested_us),
        "test_result": row.test_result,
    }


def _gives(quotas: list[dict[str, Any]]) -> list[str]:
    """Each limit in a few words: `gpt-5: 500 requests/60 s (learned)`."""
    return [
        f"{quota['model'] or 'all models'}: {limit['limit']:,} {limit['measure'].replace('_', ' ')}/"
        f"{limit['window_seconds']} s ({limit['source']})"
        for quota in quotas
        for limit in quota["limits"]
    ]
