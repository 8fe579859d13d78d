"""Management for programs: what the portal does, below `/api`. A table of rows; everything else is made from it."""

from aiservice.gateway.exchange import AsgiApp
from aiservice.management.app import Management
from aiservice.management.resources import (
    abuse,
    account,
    alert_channels,
    alert_rules,
    alerts,
    aliases,
    audit,
    budgets,
    cache,
    clients,
    keys,
    limits,
    preferences,
    prices,
    provider_keys,
    providers,
    requests,
    retention,
    shadows,
    sign_in,
    sso,
    system,
    teams,
    usage,
    users,
    vendors,
)
from aiservice.management.rows import Row
from aiservice.services.core import Core

_RESOURCES = (
    account,
    clients,
    keys,
    teams,
    users,
    sign_in,
    sso,
    providers,
    provider_keys,
    vendors,
    preferences,
    aliases,
    limits,
    budgets,
    prices,
    usage,
    requests,
    alerts,
    alert_rules,
    alert_channels,
    abuse,
    cache,
    shadows,
    audit,
    system,
    retention,
)
ROWS: tuple[Row, ...] = tuple(row for resource in _RESOURCES for row in resource.ROWS)


def build_management(core: Core) -> AsgiApp:
    """The management API of one worker."""
    return Management(core, ROWS)
