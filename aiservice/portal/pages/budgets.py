"""Budgets: what may be spent by whom in a day, week or month, what was, and what it comes to at this pace."""

from typing import Any, TypedDict

import reflex as rx
from pydantic import ConfigDict
from typing_extensions import TypedDict as ValidatedDict

from aiservice.errors import InvalidRequest
from aiservice.portal import theme
from aiservice.portal.components.answer_example import answer_example, answer_text
from aiservice.portal.components.budget_item import budget_item
from aiservice.portal.components.parts import card, empty, field, select_field, skeleton
from aiservice.portal.layout import portal_page
from aiservice.portal.moments import shown_moment
from aiservice.portal.session.guard import allowed, handler, signed_in, tell
from aiservice.principal import Budget, Person
from aiservice.services.budget_terms import Terms, checked_cap, nano_of
from aiservice.services.budget_words import amount_words, budget_words, spent_out
from aiservice.services.budgets import BudgetView
from aiservice.services.core import Core, current_core
from aiservice.services.rights import Reach, may

_MOST_KEYS = 200
_NEARLY_PERCENT = 80


class Choice(TypedDict):
    """A key, client or team in the select: `value` is its scope and id."""

    value: str
    label: str


class BudgetRow(TypedDict):
    """A budget in the list. `kind` says how it stands ("good", "warn", "bad"), `percent` is of its bar."""

    id: str
    subject: str
    measure: str
    period: str
    whose: str
    scope: str
    words: str
    spent: str
    left: str
    percent: int
    kind: str
    resets_name: str
    resets: str
    forecast: str
    forecast_kind: str
    levels: str
    unpriced: str
    may_change: bool


class SetBudget(ValidatedDict):
    """The form that sets a budget."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    subject: str
    measure: str
    amount: str
    period: str
    window: str
    levels: str
    unpriced: str


class BudgetsState(rx.State):
    """The budgets that the person may see, and for whom they may set some."""

    rows: list[BudgetRow] = []
    choices: list[Choice] = []
    example: str = ""
    contact: str = ""
    is_loaded: bool = False

    @handler("budget.list")
    async def load(self) -> None:
        self.choices = await _choices(current_core(), signed_in())
        await _show(self)
        self.is_loaded = True

    @handler("key.budget")
    async def save(self, form: SetBudget) -> None:
        scope, _, subject = form["subject"].partition(":")
        if not subject:
            raise InvalidRequest("Choose whose budget it is.", param="subject")
        view = await current_core().budgets.set(signed_in(), scope, subject, _terms(form))
        terms = view.terms
        words = budget_words(terms.measure, terms.period, terms.cap, is_rolling=terms.is_rolling)
        await tell(self, f"Set. {view.name} may now spend {words}.")
        await _show(self)

    @handler("key.budget")
    async def clear(self, scope: str, subject: str, measure: str, period: str) -> None:
        await current_core().budgets.clear(signed_in(), scope, subject, measure, period)
        await tell(self, "Cleared. That budget limits nobody any more.")
        await _show(self)


async def _show(state: BudgetsState) -> None:
    core, me = current_core(), signed_in()
    views = await core.budgets.list(me)
    state.rows = [_row(view, me) for view in views]
    state.example = _example(max(views, key=lambda view: view.used_percent)) if views else ""
    state.contact = f"an admin ({core.settings.admin_email})" if core.settings.admin_email else "an admin"


def _example(view: BudgetView) -> str:
    """What a caller is told once that budget is spent."""
    terms = view.terms
    budget = Budget(view.id, view.scope, view.subject, terms.measure, terms.period, terms.is_rolling, terms.cap)
    return answer_text(spent_out(budget, view.standing.resets_us))


async def _choices(core: Core, me: Person) -> list[Choice]:
    """Whose budgets the person may set: an admin everybody's, others those of their clients' keys."""
    found: list[Choice] = []
    if may(me, "team.budget"):
        found += [Choice(value=f"team:{team.id}", label=f"Team {team.name}") for team in await core.teams.list(me)]
    if may(me, "client.budget"):
        clients = await core.clients.list(me)
        found += [Choice(value=f"client:{client.id}", label=f"Client {client.name}") for client in clients]
    keys = await core.keys.list(me, limit=_MOST_KEYS)
    return found + [Choice(value=f"key:{key.id}", label=f"Key {key.name} of {key.client}") for key in keys]


def _terms(form: SetBudget) -> Terms:
    is_money = form["measure"] == "money"
    amount = form["amount"].strip().replace(",", "").replace(" ", "")
    if not is_money and not amount.isdecimal():
        raise InvalidRequest("Tokens are a whole number, such as 5000000.", param="amount")
    levels = [part.strip().removesuffix("%").strip() for part in form["levels"].split(",") if part.strip()]
    if not all(part.isdecimal() for part in levels):
        raise InvalidRequest("Warning levels are percentages such as 50, 80, 100.", param="levels")
    return Terms(
        form["measure"],
        form["period"],
        nano_of(amount) if is_money else checked_cap(int(amount)),
        form["window"] == "rolling",
        tuple(int(part) for part in levels),
        tuple(part.strip() for part in form["unpriced"].split(",") if part.strip()),
    )


def _row(view: BudgetView, me: Person) -> BudgetRow:
    terms, standing = view.terms, view.standing
    warned = [level for level in terms.warn_percent if view.used_percent >= level]
    forecast = standing.forecast
    return BudgetRow(
        id=view.id,
        subject=view.subject,
        measure=terms.measure,
        period=terms.period,
        whose=f"{view.name} of {view.client}" if view.scope == "key" else view.name,
        scope=view.scope,
        words=budget_words(terms.measure, terms.period, terms.cap, is_rolling=terms.is_rolling),
        spent=amount_words(terms.measure, standing.spent),
        left=amount_words(terms.measure, view.left),
        percent=view.used_percent,
        kind="bad" if view.left == 0 else "warn" if warned or view.used_percent >= _NEARLY_PERCENT else "good",
        resets_name="First comes back" if terms.is_rolling else "Begins anew",
        resets=shown_moment(standing.resets_us),
        forecast="" if forecast is None else f"At this pace {_rounded(terms.measure, forecast)} by then",
        forecast_kind="warn" if forecast is not None and forecast > terms.cap else "plain",
        levels=", ".join(f"{level} %" for level in terms.warn_percent) or "no level",
        unpriced=", ".join(terms.unpriced_models),
        may_change=may(me, f"{view.scope}.budget"),
    )


def _rounded(measure: str, amount: int) -> str:
    """A forecast is no promise: three digits of it say enough."""
    digits = max(0, len(str(amount)) - 3)
    return amount_words(measure, amount // 10**digits * 10**digits)


page: Any = BudgetsState  # in markup its attributes are Vars


@portal_page("/budgets", title="Budgets", icon="coin", place=46, on_load=BudgetsState.load)
def budgets() -> rx.Component:
    nothing = empty(
        "No budgets yet",
        "A budget says what a key, a client or a team may spend in a day, week or month. Answers under way end where "
        "it ends.",
        rx.cond(
            page.choices.length() > 0,
            rx.el.a("Set the first one", href="#amount", class_name=theme.PRIMARY),
            rx.el.a("Make a key to set one for", href="/keys", class_name=theme.PRIMARY),
        ),
    )
    items = rx.foreach(page.rows, lambda row: budget_item(row, page.clear))
    several = rx.el.ul(items, class_name="flex flex-col", custom_attrs={"aria-label": "Budgets"})
    shown = rx.cond(page.rows.length() > 0, several, nothing)
    return rx.el.div(
        card(rx.cond(page.is_loaded, rx.el.div(shown, _when_spent()), _room()), title="Budgets"),
        rx.cond(page.choices.length() > 0, _form(), None),
        class_name="flex flex-col gap-5",
    )


def _room() -> rx.Component:
    return rx.el.div(
        skeleton("h-28"), skeleton("h-28"), class_name="flex flex-col gap-3", custom_attrs={"aria-busy": "true"}
    )


def _when_spent() -> rx.Component:
    """What comes of it, and whom to ask before it does."""
    when = "Status 402. Trying again is of no use before it begins anew; answers under way end where the budget ends."
    ask = rx.el.p(
        "To have a client's or a team's raised, ask ", page.contact, ".", class_name=f"mb-3 text-sm {theme.MUTED}"
    )
    return rx.cond(
        page.example != "",
        rx.el.div(
            rx.cond(allowed("client.budget", Reach.ANYONE), None, ask),
            answer_example(page.example, when),
            class_name=f"pt-4 {theme.LINE}",
        ),
    )


def _form() -> rx.Component:
    return card(
        rx.el.p(
            "It takes the place of the one of the same measure and period; what was spent of that counts on.",
            rx.cond(allowed("client.budget"), "", " Budgets of clients and teams are set by admins."),
            class_name=f"mb-4 max-w-prose text-sm {theme.MUTED}",
        ),
        rx.el.form(
            rx.el.div(*_fields(), class_name="grid items-start gap-4 sm:grid-cols-2 lg:grid-cols-3"),
            rx.el.div(
                rx.el.button("Set budget", type="submit", class_name=theme.PRIMARY), class_name="mt-4 flex justify-end"
            ),
            on_submit=page.save,
        ),
        title="Set a budget",
    )


def _fields() -> list[rx.Component]:
    whose = rx.foreach(page.choices, lambda choice: rx.el.option(choice["label"], value=choice["value"]))
    return [
        select_field("Whose", "subject", whose),
        select_field("Of", "measure", _options(money="Money (USD)", tokens="Tokens")),
        field("Amount", "amount", required=True, auto_complete="off", placeholder="25", input_mode="decimal"),
        select_field("In each", "period", _options(month="Month", week="Week", day="Day")),
        select_field(
            "Window",
            "window",
            _options(calendar="By the calendar (UTC)", rolling="Rolling: 24 hours, 7 or 30 days"),
        ),
        field("Tell people at (%)", "levels", default_value="50, 80, 100", auto_complete="off"),
        field(
            "Models without a price that may be used",
            "unpriced",
            hint="Names, with commas. With a budget of money, others without a price are refused.",
            auto_complete="off",
        ),
    ]


def _options(**words: str) -> list[rx.Component]:
    return [rx.el.option(label, value=value) for value, label in words.items()]
