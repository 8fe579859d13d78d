"""Opens the services for one command. Apart from `console`, so that `serve` loads none of what only workers need."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiservice.commands.console import end_unread, fail, refuse, settings_or_exit
from aiservice.errors import BrokerError
from aiservice.services.core import Core
from aiservice.services.opening import open_core
from aiservice.settings import Settings, SettingsError
from aiservice.store.migrations import NewerDatabase
from aiservice.store.session import DATABASE_ERRORS

T = TypeVar("T")


def run(work: Callable[[Core], Awaitable[T]], *, as_json: bool) -> T:
    """Opens the services, does `work`, closes them. A refusal ends the process with status 1 and its words."""
    settings = settings_or_exit(as_json=as_json)
    return guarded(lambda: asyncio.run(_with_core(settings, work)), as_json=as_json)


async def _with_core(settings: Settings, work: Callable[[Core], Awaitable[T]]) -> T:
    async with open_core(settings) as core:
        return await work(core)


def guarded(work: Callable[[], T], *, as_json: bool) -> T:
    """Does `work`; what it refuses ends the process with status 1."""
    try:
        return work()
    except BrokerError as error:
        refuse(error, as_json=as_json)
    except (SettingsError, NewerDatabase) as error:
        fail(str(error), code="cannot_start", as_json=as_json)
    except BrokenPipeError:
        end_unread()
    except DATABASE_ERRORS as error:
        # The error's own text may quote statements with their values.
        fail(f"The database did not do it ({type(error).__name__}).", code="database_unavailable", as_json=as_json)
