"""Prices: what each model costs, who says so, and what nobody knows. For admins; the search stands in the URL."""

from typing import Any

import reflex as rx
from pydantic import ConfigDict
from reflex_components_core.react_router.dom import ReactRouterLink
from typing_extensions import TypedDict

from aiservice.errors import BrokerError
from aiservice.kit.ids import new_id
from aiservice.portal import theme
from aiservice.portal.components.parts import alert, card, empty, field, waiting
from aiservice.portal.components.prices import PriceRow, price_table, row_of
from aiservice.portal.layout import portal_page
from aiservice.portal.queries import url_of
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.core import current_core
from aiservice.services.own_amounts import NAMES

PATH = "/prices"
_KNOWN = {"q", "source", "after"}
_SOURCES = [("", "All"), ("none", "Unpriced"), ("own", "Yours"), ("published", "Published"), ("listed", "List price")]


class SearchForm(TypedDict):
    """What is searched for."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    q: str


class PriceForm(TypedDict, total=False):
    """A price, as `services/own_amounts.py` names its amounts."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    kind: str
    model: str
    reason: str
    input_mtok: str
    output_mtok: str
    cache_read_mtok: str
    cache_write_mtok: str
    reasoning_mtok: str
    request: str
    per_unit: str
    units: str
    unit: str


class PricesState(rx.State):
    """One page of the models."""

    rows: list[PriceRow] = []
    url: dict[str, str] = {}
    choices: list[dict[str, str]] = []
    total: str = ""
    unpriced: str = ""
    following: str = ""
    first: str = PATH
    problem: str = ""
    problem_id: str = ""
    changes: int = 0
    is_narrowed: bool = False
    is_loaded: bool = False

    @handler("price.list")
    async def load(self) -> None:
        self.url = {name: value for name, value in self.router.url.query_parameters.items() if name in _KNOWN}
        self.problem = ""
        try:
            await _show(self)
        except BrokerError as error:
            self.rows, self.problem, self.problem_id = [], error.message, new_id("req")
        self.is_loaded = True

    @handler("price.list")
    async def search(self, form: SearchForm) -> Any:
        return rx.redirect(url_of(PATH, {"source": self.url.get("source", "")}, q=form["q"].strip()[:200]))

    @handler("price.set")
    async def save(self, form: PriceForm) -> None:
        kind, model = form.get("kind", ""), form.get("model", "")
        amounts = {name: str(form.get(name, "")) for name in NAMES}
        if not amounts["per_unit"].strip():
            amounts |= {"unit": "", "units": ""}
        await current_core().own_prices.set(signed_in(), kind, model, amounts, form.get("reason", ""))
        self.changes += 1
        await tell(self, f"From now on {model} costs what you said.")
        await _show(self)

    @handler("price.clear")
    async def clear(self, kind: str, model: str) -> None:
        await current_core().own_prices.clear(signed_in(), kind, model)
        await tell(self, f"{model} goes by what is published.")
        await _show(self)


async def _show(state: PricesState) -> None:
    core = current_core()
    url = state.url
    found = await core.price_list.page(
        signed_in(),
        core.connections.snapshot(),
        containing=url.get("q", "")[:200],
        source=url.get("source", ""),
        after=url.get("after", "")[:300],
    )
    state.rows = [row_of(one) for one in found.models]
    kept = {name: value for name, value in url.items() if name != "after"}
    state.first, state.is_narrowed = url_of(PATH, kept), bool(kept)
    state.following = url_of(PATH, kept, after=found.following) if found.following else ""
    state.total = f"{found.total:,} model{'' if found.total == 1 else 's'}"
    state.unpriced = f"{found.unpriced:,}" if found.unpriced else ""
    state.choices = [
        {
            "label": label,
            "url": url_of(PATH, kept, source=value),
            "here": "page" if url.get("source", "") == value else "",
        }
        for value, label in _SOURCES
    ]


page: Any = PricesState  # in markup its attributes are Vars


@portal_page(PATH, title="Prices", icon="chart", place=53, on_load=PricesState.load)
def prices() -> rx.Component:
    return rx.cond(page.is_loaded, _cards(), waiting("h-96"))


def _cards() -> rx.Component:
    return rx.el.div(
        rx.cond(
            page.unpriced != "",
            alert(
                page.unpriced,
                rx.cond(page.unpriced == "1", " of your models has no price.", " of your models have no price."),
                " What such calls cost is in no sum and in no budget. ",
                ReactRouterLink.create("Show them", to=f"{PATH}?source=none", class_name=theme.LINK),
                kind="warn",
            ),
        ),
        card(
            _narrow(),
            rx.cond(page.problem != "", _problem(), rx.cond(page.rows.length() > 0, price_table(page), _nothing())),
            _pager(),
            title="USD for a million tokens",
            actions=rx.el.span(page.total, class_name=f"text-sm {theme.MUTED}"),
        ),
        class_name="flex flex-col gap-4",
    )


def _narrow() -> rx.Component:
    return rx.el.div(
        rx.el.form(
            field("Model or kind", "q", type="search", default_value=page.url.get("q", ""), auto_complete="off"),
            rx.el.button("Find", type="submit", class_name=theme.SECONDARY),
            on_submit=page.search,
            key=page.first,
            class_name="flex items-end gap-2",
        ),
        rx.el.nav(
            rx.foreach(
                page.choices,
                lambda one: ReactRouterLink.create(
                    one["label"],
                    to=one["url"],
                    class_name=rx.cond(
                        one["here"] == "page",
                        f"{theme.CHOICE} {theme.CHOICE_ON} inline-flex items-center",
                        f"{theme.CHOICE} {theme.CHOICE_OFF} inline-flex items-center",
                    ),
                    custom_attrs={"aria-current": rx.cond(one["here"] == "page", "page", "false")},
                ),
            ),
            class_name="flex flex-wrap gap-1",
            custom_attrs={"aria-label": "By source"},
        ),
        class_name="mb-4 flex flex-wrap items-end justify-between gap-4",
    )


def _nothing() -> rx.Component:
    return rx.cond(
        page.is_narrowed,
        empty(
            "No model like that",
            "None that a connection offers, or that has a price of yours.",
            ReactRouterLink.create("Show all models", to=PATH, class_name=theme.PRIMARY),
        ),
        empty(
            "No models yet",
            "They are listed here once there is a provider connection.",
            ReactRouterLink.create("Add a provider", to="/providers", class_name=theme.PRIMARY),
        ),
    )


def _problem() -> rx.Component:
    return alert(
        rx.el.p("The prices could not be read. ", page.problem),
        rx.el.p("Request ", page.problem_id, class_name="mt-1 text-xs opacity-80"),
        rx.el.button("Try again", type="button", on_click=page.load, class_name=f"mt-3 {theme.SECONDARY}"),
        kind="error",
        role="alert",
    )


def _pager() -> rx.Component:
    return rx.el.nav(
        rx.cond(
            page.url.get("after", "") != "",
            ReactRouterLink.create("First", to=page.first, class_name=theme.SECONDARY),
        ),
        rx.cond(page.following != "", ReactRouterLink.create("More", to=page.following, class_name=theme.SECONDARY)),
        class_name="mt-4 flex justify-end gap-2",
        custom_attrs={"aria-label": "Pages of models"},
    )
