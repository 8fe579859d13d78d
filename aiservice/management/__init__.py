"""Management for programs: what the portal does, below `/api`. A table of rows; everything else is made from it."""

from aiservice.gateway.exchange import AsgiApp
from aiservice.management.app import Management
from aiservice.management.resources import account, clients, keys
from aiservice.management.rows import Row
from aiservice.services.core import Core

ROWS: tuple[Row, ...] = (*account.ROWS, *clients.ROWS, *keys.ROWS)


def build_management(core: Core) -> AsgiApp:
    """The management API of one worker."""
    return Management(core, ROWS)
