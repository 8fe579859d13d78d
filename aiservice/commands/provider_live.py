"""`provider test`: whether a connection works, and whether what is promised of its wire holds there."""

from typing import Annotated

import typer

from aiservice.commands.console import JsonFlag, one_of, show
from aiservice.commands.opening import run
from aiservice.commands.providers import Which, WhichOption
from aiservice.principal import OPERATOR
from aiservice.services.core import Core
from aiservice.services.live_checks import LiveCheck, LiveChecks
from aiservice.services.probe import ProbeResult

_NO_LIST = "models_not_found"  # says nothing of the rest: some servers have no list
_SAID = {True: "ok", False: "FAILED", None: "not tried"}


def try_connection(
    which: Which = None,
    name: WhichOption = None,
    model: Annotated[str | None, typer.Option("--model", help="The model that chats; by default its first.")] = None,
    is_free: Annotated[bool, typer.Option("--list-only", help="Only its list of models, which is free.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Call a provider's list of models with the stored key, and ask a model the live part of the conformance suite:
    whole answers, streams, tools, a schema, an image, counts, vectors, rankings. That is about ten small calls, which
    the provider charges. Exit status 1 when anything fails.
    """
    ref = one_of(which, name, "connection")

    async def work(core: Core) -> tuple[ProbeResult, list[LiveCheck]]:
        found = await core.connections.test(OPERATOR, ref)
        if is_free or not (found.is_ok or found.code == _NO_LIST):
            return found, []
        return found, list(await LiveChecks(core.connections, core.upstream).run(OPERATOR, ref, model))

    result, checks = run(work, as_json=as_json)
    told = [{"check": one.name, "ok": one.is_ok, "ms": one.took_ms, "words": one.words} for one in checks]
    is_ok = (result.is_ok or bool(checks)) and all(one.is_ok is not False for one in checks)
    answer = {
        "name": ref,
        "ok": is_ok,
        "latency_ms": result.latency_ms,
        "models": list(result.models),
        "code": result.code,
        "message": result.message,
        "checks": told,
    }
    width = max((len(one.name) for one in checks), default=0)
    lines = [f"  {one.name.ljust(width)}  {_SAID[one.is_ok].ljust(9)}  {one.words}" for one in checks]
    show(answer, [f"{ref}: {result.summary}", *lines], as_json=as_json)
    if not is_ok:
        raise typer.Exit(1)
