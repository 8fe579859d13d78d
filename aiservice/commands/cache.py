"""`cache`: what may be kept of answers and for how long, what that saved, and the end of what was kept."""

from typing import Annotated, Any

import typer

from aiservice.commands.console import JsonFlag, examples, group, say, show, show_table, usage_error
from aiservice.commands.opening import run
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.kit.durations import format_duration, parse_duration
from aiservice.kit.money import to_usd_text
from aiservice.principal import OPERATOR
from aiservice.services.cache_policies import ANY_TASK, CachePolicyView
from aiservice.services.cache_tally import CacheStanding
from aiservice.services.cache_terms import MODES, SHARERS, CacheRule
from aiservice.services.semantic_terms import SemanticRule

cache = group("The answer cache: policies, what it saved, purges.")
_USUAL = SemanticRule()
policy = group("Policies of the answer cache: set, list, clear.")
cache.add_typer(policy, name="policy")

ClientName = Annotated[str | None, typer.Option("--client", help="Name or id of a client.")]
TeamName = Annotated[str | None, typer.Option("--team", help="Name or id of a team.")]
Platform = Annotated[bool, typer.Option("--platform", help="For everybody.")]
Task = Annotated[str, typer.Option("--task", help="A task, or '*' for every task that has none of its own.")]
OneTask = Annotated[str | None, typer.Option("--task", help="Only this task's; without it, all.")]
ModeName = Annotated[
    str, typer.Option("--mode", help="on: every answer that can be; ask: where a request asks for it; off: never.")
]
Ttl = Annotated[str, typer.Option("--ttl", help="For how long, where a request does not say: 90s, 15m, 24h.")]
MaxTtl = Annotated[str, typer.Option("--max-ttl", help="For how long at most, whatever a request says.")]
SharedBy = Annotated[str, typer.Option("--shared-by", help="Who gets an answer that one of them got: client, team.")]

Similar = Annotated[
    float,
    typer.Option("--similar", help="Similar questions share answers: least cosine, 0.8 to 1; 0: no."),
]
Embeddings = Annotated[str, typer.Option("--embeddings", help="Who makes questions' vectors: connection:model.")]
Judged = Annotated[int, typer.Option("--judged", help="Of similar questions, how many of 100 are asked all the same.")]
Precision = Annotated[
    int, typer.Option("--precision", help="Of those, how many of 100 must get the same answer, or it switches off.")
]


@policy.command(
    "set",
    action="cache.policy",
    epilog=examples(
        "cache policy set --client shop --task embedding --mode on --ttl 7d --max-ttl 7d",
        "cache policy set --platform --mode off",
        "cache policy set --team search --mode on --ttl 1h --shared-by team",
        "cache policy set --client shop --task chat --similar 0.95 --embeddings openai:text-embedding-3-small",
    ),
)
def set_policy(
    client: ClientName = None,
    team: TeamName = None,
    platform: Platform = False,
    task: Task = ANY_TASK,
    mode: ModeName = "on",
    ttl: Ttl = "1h",
    max_ttl: MaxTtl = "",
    shared_by: SharedBy = "client",
    similar: Similar = 0.0,
    embeddings: Embeddings = "",
    judged: Judged = _USUAL.judged_percent,
    precision: Precision = _USUAL.least_precision_percent,
    as_json: JsonFlag = False,
) -> None:
    """Store a policy, in place of the one before."""
    scope, ref = _one_scope(client, team, is_platform=platform)
    if mode not in MODES:
        usage_error(f"--mode is one of {', '.join(MODES)}.")
    if shared_by not in SHARERS:
        usage_error(f"--shared-by is one of {', '.join(SHARERS)}.")
    ttl_seconds = _seconds("--ttl", ttl)
    most = _seconds("--max-ttl", max_ttl) if max_ttl else max(ttl_seconds, CacheRule().most_ttl_seconds)
    if bool(similar) is not bool(embeddings):
        usage_error("--similar says how near questions must be, --embeddings who tells: give both, or neither.")
    semantic = SemanticRule(round(similar * 1_000), embeddings, judged, precision) if similar else None
    rule = CacheRule(mode, ttl_seconds, most, shared_by, semantic)
    view = run(lambda core: core.cache.policies.set(OPERATOR, scope, ref, task, rule), as_json=as_json)
    row = _row(view)
    show(row, [f"{name}: {value}" for name, value in row.items()], as_json=as_json)


@policy.command("list", action="cache.list", epilog=examples("cache policy list"))
def list_policies(as_json: JsonFlag = False) -> None:
    """List the policies."""
    views = run(lambda core: core.cache.policies.list(OPERATOR), as_json=as_json)
    show_table(
        [_row(view) for view in views],
        ("scope", "name", "task", "mode", "ttl", "max_ttl", "shared_by", "similar"),
        as_json=as_json,
        empty="There are no policies: answers are kept where a request asks for it.",
    )


@policy.command(
    "clear",
    action="cache.policy",
    epilog=examples("cache policy clear --client shop", "cache policy clear --platform --task chat"),
)
def clear_policies(
    client: ClientName = None,
    team: TeamName = None,
    platform: Platform = False,
    task: OneTask = None,
    as_json: JsonFlag = False,
) -> None:
    """Remove a policy, or all of the platform's, a team's or a client's."""
    scope, ref = _one_scope(client, team, is_platform=platform)
    cleared = run(lambda core: core.cache.policies.clear(OPERATOR, scope, ref, task), as_json=as_json)
    show({"scope": scope, "name": ref, "cleared": cleared}, [f"{cleared} removed."], as_json=as_json)


@cache.command("purge", action="cache.purge", epilog=examples("cache purge --client shop", "cache purge --all"))
def purge(
    client: ClientName = None,
    is_all: Annotated[bool, typer.Option("--all", help="Of everybody.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Give out nothing that was kept until now."""
    if (client is None) is not is_all:
        usage_error("Say whose: --client NAME, or --all.")
    name = run(lambda core: core.cache.policies.purge(OPERATOR, client), as_json=as_json)
    show({"purged": name}, [f"Nothing that was kept for {name} is given out any more."], as_json=as_json)


@cache.command("stats", action="cache.list", epilog=examples("cache stats", "cache stats --client shop --since 7d"))
def stats(
    client: ClientName = None,
    since: Annotated[str, typer.Option("--since", help="How far back: 24h, 7d, at most 90d.")] = "24h",
    as_json: JsonFlag = False,
) -> None:
    """Show how often the cache answered, and what that saved."""
    since_us = now_us() - _seconds("--since", since) * SECOND_US
    found = run(lambda core: core.cache.tally.standing(OPERATOR, since_us, client), as_json=as_json)
    show_table(
        [_stats_row(one) for one in found],
        (
            "client",
            "task",
            "hits",
            "coalesced",
            "misses",
            "similar",
            "judged",
            "agreed",
            "served_percent",
            "saved_tokens",
            "saved_usd",
            "saved_seconds",
        ),
        as_json=as_json,
        empty=f"No request had to do with the cache in the last {since}.",
    )
    if found and not as_json:
        say("Served: requests that were given an answer which was kept, or was under way for another.")


def _one_scope(client: str | None, team: str | None, *, is_platform: bool) -> tuple[str, str]:
    """(scope, name); ends the command where none or two are named."""
    named = [
        *([("platform", "")] if is_platform else []),
        *([("team", team)] if team is not None else []),
        *([("client", client)] if client is not None else []),
    ]
    if len(named) != 1:
        usage_error("Say whose: --client NAME, --team NAME or --platform.")
    return named[0]


def _seconds(option: str, text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        usage_error(f"{option}: {error}")


def _row(view: CachePolicyView) -> dict[str, Any]:
    rule = view.rule
    return {
        "scope": view.scope,
        "name": view.name,
        "task": view.task,
        "mode": rule.mode,
        "ttl": format_duration(rule.ttl_seconds),
        "max_ttl": format_duration(rule.most_ttl_seconds),
        "shared_by": rule.shared_by,
        **_semantic(view),
    }


def _semantic(view: CachePolicyView) -> dict[str, Any]:
    """What a policy says of similar questions, in words for a table, and by itself."""
    semantic = view.rule.semantic
    if semantic is None:
        return {"similar": "no"}
    least = semantic.least_permille / 1_000
    is_off = view.semantic_off_us is not None
    words = f"off: only {view.precision_percent} % agreed" if is_off else f"from {least:g}, by {semantic.embeddings}"
    return {
        "similar": words,
        "similarity": least,
        "embeddings": semantic.embeddings,
        "judged_percent": semantic.judged_percent,
        "least_precision_percent": semantic.least_precision_percent,
        "is_switched_off": is_off,
    }


def _stats_row(one: CacheStanding) -> dict[str, Any]:
    return {
        "client": one.client,
        "task": one.task,
        "hits": one.hits,
        "coalesced": one.coalesced,
        "misses": one.misses,
        "similar": one.similar,
        "judged": one.judged,
        "agreed": one.agreed,
        "served_percent": one.served_percent,
        "saved_tokens": one.saved.tokens,
        "saved_usd": to_usd_text(one.saved.cost_nano_usd),
        "saved_seconds": round(one.saved.took_us / SECOND_US, 1),
    }
