"""`key budget`, `client budget` and `team budget`: how much money, or how many tokens, may be spent in a window."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from aiservice.commands.console import Group, JsonFlag, examples, group, names_of, show_table, usage_error
from aiservice.commands.opening import run
from aiservice.errors import BrokerError
from aiservice.kit.clock import iso
from aiservice.principal import OPERATOR
from aiservice.services.budget_terms import MEASURES, WARN_PERCENT, Terms, checked_cap, nano_of
from aiservice.services.budget_windows import PERIODS
from aiservice.services.budget_words import amount_words, budget_words
from aiservice.services.budgets import BudgetView
from aiservice.services.core import Core
from aiservice.services.keys import NewKey

Usd = Annotated[str | None, typer.Option("--usd", metavar="USD", help="Money: such as 25 or 0.50.")]
Tokens = Annotated[int | None, typer.Option("--tokens", help="Tokens, of prompts and answers together.")]
Period = Annotated[str, typer.Option("--period", help="day, week or month, by the calendar (UTC).")]
Rolling = Annotated[bool, typer.Option("--rolling", help="The last 24 hours, 7 or 30 days instead.")]
Warn = Annotated[str | None, typer.Option("--warn", help="Percentages at which to tell people: 50,80,100.")]
Unpriced = Annotated[
    str | None, typer.Option("--allow-unpriced", help="Models that may be used though they have no price: x,y.")
]
KeyBudget = Annotated[str | None, typer.Option("--budget", metavar="USD", help="Money it may spend in each period.")]
KeyPeriod = Annotated[str, typer.Option("--budget-period", help="day, week or month, by the calendar (UTC).")]


@dataclass(slots=True, frozen=True)
class _Given:
    """What options say of a budget."""

    usd: str | None
    tokens: int | None
    period: str
    is_rolling: bool = False
    warn: str | None = None
    unpriced: str | None = None

    def terms(self) -> list[Terms]:
        """A budget for each measure that is named; ends the command where one cannot be read."""
        if self.period not in PERIODS:
            usage_error(f"--period: day, week or month, not '{self.period[:20]}'.")
        try:
            caps = [] if self.usd is None else [("money", nano_of(self.usd))]
            caps += [] if self.tokens is None else [("tokens", checked_cap(self.tokens))]
        except BrokerError as error:
            usage_error(error.message)
        warn, unpriced = _levels(self.warn), tuple(names_of(self.unpriced) or ())
        return [Terms(measure, self.period, cap, self.is_rolling, warn, unpriced) for measure, cap in caps]


def budget_group(scope: str) -> Group:
    """The commands for the budgets of a key, a client or a team."""
    commands = group(f"Budgets of a {scope}: show, set, clear.")
    _add_show(commands, scope)
    _add_set(commands, scope)
    _add_clear(commands, scope)
    return commands


def _whose(scope: str) -> Any:
    return typer.Argument(metavar=scope.upper(), help="Name or id." if scope != "key" else "Id, or the public part.")


def _add_show(commands: Group, scope: str) -> None:
    @commands.command("show", action="budget.get", epilog=examples(f"{scope} budget show {_EXAMPLE[scope]}"))
    def show_budgets(which: Annotated[str, _whose(scope)], as_json: JsonFlag = False) -> None:
        """Show what may be spent, was spent and is left, and when it begins anew."""
        _show(run(lambda core: core.budgets.of(OPERATOR, scope, which), as_json=as_json), as_json=as_json)


def _add_set(commands: Group, scope: str) -> None:
    @commands.command(
        "set",
        action=f"{scope}.budget",
        epilog=examples(
            f"{scope} budget set {_EXAMPLE[scope]} --usd 25 --period month",
            f"{scope} budget set {_EXAMPLE[scope]} --tokens 5000000 --period day --rolling --warn 80,100",
        ),
    )
    def set_budget(
        which: Annotated[str, _whose(scope)],
        usd: Usd = None,
        tokens: Tokens = None,
        period: Period = "month",
        rolling: Rolling = False,
        warn: Warn = None,
        allow_unpriced: Unpriced = None,
        as_json: JsonFlag = False,
    ) -> None:
        """Set a budget; those of other periods stay. What was spent counts on."""
        terms = _Given(usd, tokens, period, rolling, warn, allow_unpriced).terms()
        if not terms:
            usage_error("Say how much: --usd 25, or --tokens 5000000.")

        async def work(core: Core) -> list[BudgetView]:
            for each in terms:
                await core.budgets.set(OPERATOR, scope, which, each)
            return await core.budgets.of(OPERATOR, scope, which)

        _show(run(work, as_json=as_json), as_json=as_json)


def _add_clear(commands: Group, scope: str) -> None:
    @commands.command(
        "clear", action=f"{scope}.budget", epilog=examples(f"{scope} budget clear {_EXAMPLE[scope]} --period day")
    )
    def clear_budgets(
        which: Annotated[str, _whose(scope)],
        period: Annotated[str | None, typer.Option("--period", help="Only those of this period.")] = None,
        measure: Annotated[str | None, typer.Option("--measure", help="Only those of money, or of tokens.")] = None,
        as_json: JsonFlag = False,
    ) -> None:
        """Take budgets away: all, or those named."""
        if measure not in (None, *MEASURES):
            usage_error("--measure: money or tokens.")
        _show(
            run(lambda core: core.budgets.clear(OPERATOR, scope, which, measure, period), as_json=as_json),
            as_json=as_json,
        )


_EXAMPLE = {"key": "key_01…", "client": "shop", "team": "search"}


def key_terms(usd: str | None, period: str) -> list[Terms]:
    """The budget that `key create` is given."""
    return _Given(usd, None, period).terms()


async def give(core: Core, made: NewKey, terms: list[Terms]) -> NewKey:
    """A new key with its budget; where it cannot have that, there is no key."""
    try:
        for each in terms:
            await core.budgets.set(OPERATOR, "key", made.id, each)
    except BrokerError:
        await core.keys.revoke(OPERATOR, made.id)
        raise
    return made


def _levels(text: str | None) -> tuple[int, ...]:
    if text is None:
        return WARN_PERCENT
    parts = [part.strip().removesuffix("%") for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        usage_error(f"--warn: '{text[:60]}' is not like 50,80,100.")
    return tuple(int(part) for part in parts)


def _show(views: list[BudgetView], *, as_json: bool) -> None:
    if as_json:
        show_table([told(view) for view in views], (), as_json=True, empty="")
        return
    rows = [
        {
            "budget": budget_words(
                view.terms.measure, view.terms.period, view.terms.cap, is_rolling=view.terms.is_rolling
            ),
            "spent": amount_words(view.terms.measure, view.standing.spent),
            "used": f"{view.used_percent} %",
            "left": amount_words(view.terms.measure, view.left),
            "begins anew": iso(view.standing.resets_us),
        }
        for view in views
    ]
    show_table(rows, ("budget", "spent", "used", "left", "begins anew"), as_json=False, empty="There is no budget.")


def told(view: BudgetView) -> dict[str, object]:
    """A budget for programs: money in 10⁻⁹ USD."""
    return {
        "id": view.id,
        "scope": view.scope,
        "name": view.name,
        "measure": view.terms.measure,
        "period": view.terms.period,
        "rolling": view.terms.is_rolling,
        "cap": view.terms.cap,
        "spent": view.standing.spent,
        "reserved": view.standing.reserved,
        "left": view.left,
        "forecast": view.standing.forecast,
        "resets_at": iso(view.standing.resets_us),
        "warn_percent": list(view.terms.warn_percent),
        "unpriced_models": list(view.terms.unpriced_models),
    }
