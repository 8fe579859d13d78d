"""`preference`: on which terms requests are routed: for the platform, a team, a client or a key, by task."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from aiservice.commands.console import JsonFlag, examples, group, names_of, show, show_table, usage_error
from aiservice.commands.opening import run
from aiservice.commands.trials import show_trial
from aiservice.kit.clock import iso
from aiservice.principal import OPERATOR
from aiservice.services.core import Core
from aiservice.services.preference_trial import Draft, Trial
from aiservice.services.preferences import ANY_TASK, PreferenceView
from aiservice.services.routing_decision import Decision
from aiservice.services.routing_history import Version
from aiservice.services.routing_scopes import PLATFORM_SCOPE, Scope
from aiservice.services.routing_terms import DATA_COLLECTIONS, SORTS, STRATEGIES, Terms
from aiservice.services.terms_words import differences, sentence

preference = group("Preferences: where requests go, for the platform, a team, a client or a key.")

ClientName = Annotated[str | None, typer.Option("--client", help="Name or id of a client.")]
TeamName = Annotated[str | None, typer.Option("--team", help="Name or id of a team.")]
KeyId = Annotated[str | None, typer.Option("--key", help="Id or public id of a key.")]
Platform = Annotated[bool, typer.Option("--platform", help="For everybody.")]
Task = Annotated[str, typer.Option("--task", help="A task, or '*' for every task that says nothing of its own.")]
OneTask = Annotated[str | None, typer.Option("--task", help="Only this task's; without it, all.")]
Order = Annotated[str | None, typer.Option("--order", "--chain", help="connection[:model] or kind[:model],… in order.")]
Only = Annotated[str | None, typer.Option("--only", help="Only these connections or kinds.")]
Ignore = Annotated[str | None, typer.Option("--ignore", help="Never these connections or kinds.")]
Fallbacks = Annotated[bool | None, typer.Option("--fallbacks/--no-fallbacks", help="Whether others are tried next.")]
Parameters = Annotated[bool | None, typer.Option("--require-parameters/--any-parameters", help="Only who honours all.")]
Sort = Annotated[str | None, typer.Option("--sort", help=f"One of: {', '.join(SORTS)}.")]
Strategy = Annotated[str | None, typer.Option("--strategy", help=f"One of: {', '.join(STRATEGIES)}.")]
_PRICES = "prompt=3,completion=15,request=0.01: USD per million tokens, and per request."
MaxPrice = Annotated[str | None, typer.Option("--max-price", help=_PRICES)]
MaxLatency = Annotated[int | None, typer.Option("--max-latency-ms", help="Who is slower comes later.")]
MinThroughput = Annotated[float | None, typer.Option("--min-throughput", help="Tokens a second; who is slower, later.")]
FallbackBelow = Annotated[float | None, typer.Option("--fallback-below", help="Slower streams go elsewhere.")]
DataCollection = Annotated[str | None, typer.Option("--data-collection", help=" or ".join(DATA_COLLECTIONS))]
Zdr = Annotated[bool | None, typer.Option("--zdr/--no-zdr", help="Only who retains nothing.")]
Region = Annotated[str | None, typer.Option("--region", help="Only in these regions.")]

_FIELDS = {
    "order": "order",
    "only": "only",
    "ignore": "ignore",
    "fallbacks": "allow_fallbacks",
    "require_parameters": "require_parameters",
    "sort": "sort",
    "strategy": "strategy",
    "max_latency_ms": "preferred_max_latency_ms",
    "min_throughput": "preferred_min_throughput",
    "fallback_below": "fallback_below_throughput",
    "data_collection": "data_collection",
    "zdr": "zdr",
    "region": "regions",
}
"""Which field of terms each option is."""


def scope_of(client: str | None, team: str | None, key: str | None, *, is_platform: bool) -> Scope | None:
    """The one scope that options name, or None; ends the command where there are two."""
    named = [
        *([PLATFORM_SCOPE] if is_platform else []),
        *([Scope("team", team)] if team is not None else []),
        *([Scope("client", client)] if client is not None else []),
        *([Scope("key", key)] if key is not None else []),
    ]
    if len(named) > 1:
        usage_error("Name one of --platform, --team, --client and --key.")
    return named[0] if named else None


def one_scope(client: str | None, team: str | None, key: str | None, *, is_platform: bool) -> Scope:
    """As `scope_of`; ends the command where there is none."""
    scope = scope_of(client, team, key, is_platform=is_platform)
    if scope is None:
        usage_error("Say whose: --client NAME, --team NAME, --key ID or --platform.")
    return scope


def terms_from(options: dict[str, Any]) -> dict[str, Any]:
    """Options as the JSON that a request's `preferences` would be; ends the command where one cannot be read."""
    found: dict[str, Any] = {field: options[name] for name, field in _FIELDS.items() if options[name] is not None}
    for name in ("order", "only", "ignore", "regions"):
        if name in found:
            found[name] = names_of(found[name])
    for part in names_of(options["max_price"]) or ():
        name, equals, amount = part.partition("=")
        if not equals:
            usage_error(f"--max-price: '{part[:60]}' is not like prompt=3.")
        found.setdefault("max_price", {})[name.strip()] = amount.strip()
    return found


@preference.command(
    "set",
    action="preference.set",
    epilog=examples(
        "preference set --client shop --task chat --order openai:gpt-5-mini,ollama:llama3:8b",
        "preference set --team search --order anthropic --max-price prompt=3,completion=15 --zdr",
        "preference set --platform --task embedding --sort price --ignore east",
    ),
)
def set_terms(
    client: ClientName = None,
    team: TeamName = None,
    key: KeyId = None,
    platform: Platform = False,
    task: Task = ANY_TASK,
    order: Order = None,
    only: Only = None,
    ignore: Ignore = None,
    fallbacks: Fallbacks = None,
    require_parameters: Parameters = None,
    sort: Sort = None,
    strategy: Strategy = None,
    max_price: MaxPrice = None,
    max_latency_ms: MaxLatency = None,
    min_throughput: MinThroughput = None,
    fallback_below: FallbackBelow = None,
    data_collection: DataCollection = None,
    zdr: Zdr = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> None:
    """Store terms, in place of those before."""
    scope, given = one_scope(client, team, key, is_platform=platform), terms_from(locals())

    async def work(core: Core) -> PreferenceView:
        return await core.preferences.set(OPERATOR, scope, task, Terms.read(given))

    stored = run(work, as_json=as_json)
    show(_answer(stored), [_line(stored)], as_json=as_json)


@preference.command(
    "try",
    action="preference.try",
    epilog=examples(
        "preference try --client shop --task chat --order anthropic,openai",
        "preference try --platform --ignore east --model gpt-5-mini",
    ),
)
def try_terms(
    client: ClientName = None,
    team: TeamName = None,
    key: KeyId = None,
    platform: Platform = False,
    task: Task = ANY_TASK,
    order: Order = None,
    only: Only = None,
    ignore: Ignore = None,
    fallbacks: Fallbacks = None,
    require_parameters: Parameters = None,
    sort: Sort = None,
    strategy: Strategy = None,
    max_price: MaxPrice = None,
    max_latency_ms: MaxLatency = None,
    min_throughput: MinThroughput = None,
    fallback_below: FallbackBelow = None,
    data_collection: DataCollection = None,
    zdr: Zdr = None,
    region: Region = None,
    model: Annotated[str | None, typer.Option("--model", help="What a request would name as its model.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what terms would do, to one request and to the last hour's, without storing them. No terms: if cleared."""
    scope, given = one_scope(client, team, key, is_platform=platform), terms_from(locals())
    draft = Draft(scope, task, Terms.read(given) if given else None)

    async def work(core: Core) -> tuple[Decision, Trial]:
        await asyncio.to_thread(core.prices.load)
        return await core.trial.dry_run(OPERATOR, draft, model), await core.trial.on_last_hour(OPERATOR, draft)

    show_trial(*run(work, as_json=as_json), as_json=as_json)


@preference.command(
    "list", action="preference.list", epilog=examples("preference list", "preference list --client shop --json")
)
def list_terms(
    client: ClientName = None,
    team: TeamName = None,
    key: KeyId = None,
    platform: Platform = False,
    as_json: JsonFlag = False,
) -> None:
    """List what is stored, the widest scope first."""
    scope = scope_of(client, team, key, is_platform=platform)

    async def work(core: Core) -> Sequence[PreferenceView]:
        return await core.preferences.list(OPERATOR, scope)

    rows = [
        {**_told(row), "says": sentence(row.terms), "updated_at": iso(row.updated_us)}
        for row in run(work, as_json=as_json)
    ]
    columns = ("scope", "of", "task", "says", "updated_at")
    show_table(rows, columns, as_json=as_json, empty="There are no stored preferences.")


@preference.command(
    "clear",
    action="preference.clear",
    epilog=examples("preference clear --client shop --task chat", "preference clear --client shop"),
)
def clear(
    client: ClientName = None,
    team: TeamName = None,
    key: KeyId = None,
    platform: Platform = False,
    task: OneTask = None,
    as_json: JsonFlag = False,
) -> None:
    """Remove stored terms. The history keeps them."""
    scope = one_scope(client, team, key, is_platform=platform)
    count = run(lambda core: core.preferences.clear(OPERATOR, scope, task), as_json=as_json)
    lines = [f"Removed {count} preference{'' if count == 1 else 's'} of {scope.ref or 'the platform'}."]
    whose = {"client": client} if client is not None else {"scope": scope.kind, "of": scope.ref or "platform"}
    show({**whose, "cleared": count}, lines, as_json=as_json)


@preference.command(
    "history", action="preference.history", epilog=examples("preference history --client shop --task chat")
)
def history(
    client: ClientName = None,
    team: TeamName = None,
    key: KeyId = None,
    platform: Platform = False,
    task: OneTask = None,
    as_json: JsonFlag = False,
) -> None:
    """Show every change: who, when, and what it changed; the newest first."""
    scope = one_scope(client, team, key, is_platform=platform)
    found = run(lambda core: core.preferences.history(OPERATOR, scope, task), as_json=as_json)
    show_table(
        [_version(version) for version in found],
        ("version", "at", "by", "task", "changes"),
        as_json=as_json,
        empty="Nothing was ever changed here.",
    )


@preference.command("revert", action="preference.revert", epilog=examples("preference revert 17"))
def revert(
    version: Annotated[int, typer.Argument(metavar="VERSION", help="A number that `preference history` shows.")],
    as_json: JsonFlag = False,
) -> None:
    """Store again what a version stored. This is a new version."""
    stored = run(lambda core: core.preferences.revert(OPERATOR, version), as_json=as_json)
    show(_told(stored), [_line(stored)], as_json=as_json)


def _told(view: PreferenceView) -> dict[str, Any]:
    """As a row of JSON."""
    return {
        "scope": view.scope,
        "of": view.holder,
        "client": view.holder if view.scope == "client" else None,
        "task": view.task,
        "order": list(view.chain),
        "terms": view.terms.to_json(),
    }


def _answer(view: PreferenceView) -> dict[str, Any]:
    """The contract's three fields, where a client's plain chain is all there is to say."""
    told = _told(view)
    is_plain = view.scope == "client" and view.terms == Terms(order=view.terms.order)
    return {name: told[name] for name in ("client", "task", "order")} if is_plain else told


def _line(view: PreferenceView) -> str:
    whose = "the platform" if view.scope == "platform" else view.holder
    if view.terms == Terms():
        return f"{whose}, {view.task}: nothing stored any more."
    return f"{whose}, {view.task}: {sentence(view.terms)}."


def _version(version: Version) -> dict[str, Any]:
    before, after = (Terms.read(said or {}) for said in (version.before, version.after))
    return {
        "version": version.number,
        "at": iso(version.at_us),
        "by": version.actor or "before there was a history",
        "task": version.name,
        "changes": [f"{one.field}: {one.before} → {one.after}" for one in differences(before, after)],
        "before": version.before,
        "after": version.after,
        "reverted_to": version.reverted_to,
    }
