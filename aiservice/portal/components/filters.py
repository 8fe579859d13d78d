"""What a list or chart is narrowed by: selects that act at once, a range of time, and the zone it is meant in."""

from collections.abc import Sequence
from typing import Any, TypedDict

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme


class Option(TypedDict):
    """A choice in a select."""

    value: str
    label: str


def options_of(found: Sequence[tuple[str, str]], chosen: str) -> list[Option]:
    """The choices (value, label), with the chosen value among them even where it is no longer in use."""
    listed = [Option(value=number, label=name) for number, name in found]
    if chosen and all(option["value"] != chosen for option in listed):
        listed.insert(0, Option(value=chosen, label=chosen))
    return listed


def offered(before: Sequence[Option], chosen: str) -> list[Option]:
    """What was offered before, with the chosen value among it: until it is known what there is now."""
    return options_of([(option["value"], option["label"]) for option in before], chosen)


def filter_choosers(options: Any, url: Any, on_choose: Any) -> list[rx.Component]:
    """One `chooser` for each of `queries.FILTERS`: `options` and `url` are Vars of dicts by its name."""
    labels = {"client": "Client", "key": "Key", "task": "Task", "model": "Model", "provider": "Provider"}
    return [chooser(label, name, options[name], url.get(name, ""), on_choose) for name, label in labels.items()]


def chooser(label: str, name: str, options: Any, value: Any, on_choose: Any, *, first: str = "Any") -> rx.Component:
    """A labelled select whose choice is given to `on_choose(name, value)` at once. `first` "" leaves "any" out."""
    any_of_them = [rx.el.option(first, value="")] if first else []
    listed = options if isinstance(options, list) else [rx.foreach(options, _option)]
    return rx.el.div(
        rx.el.label(label, html_for=f"by-{name}", class_name=f"text-xs font-medium {theme.MUTED}"),
        rx.el.select(
            *any_of_them,
            *listed,
            id=f"by-{name}",
            value=value,
            on_change=lambda chosen: on_choose(name, chosen),
            class_name=f"mt-0.5 {theme.INPUT}",
        ),
        class_name="min-w-0",
    )


def _option(option: Any) -> rx.Component:
    return rx.el.option(option["label"], value=option["value"])


def span_form(start: Any, end: Any, zone: Any, on_submit: Any, *, key: Any) -> rx.Component:
    """From and to, typed in the zone that is shown; `key` changes when the URL does, so that the fields follow it."""
    return rx.el.form(
        _moment("From", "from", start),
        _moment("To", "to", end),
        rx.el.button("Apply", type="submit", class_name=theme.SECONDARY),
        rx.el.span("in ", zone, class_name=f"pb-2.5 text-xs {theme.MUTED}"),
        on_submit=on_submit,
        key=key,
        class_name="flex flex-wrap items-end gap-2",
    )


def _moment(label: str, name: str, value: Any) -> rx.Component:
    return rx.el.div(
        rx.el.label(label, html_for=f"span-{name}", class_name=f"text-xs font-medium {theme.MUTED}"),
        rx.el.input(
            id=rx.Var.create(f"span-{name}"),
            name=name,
            type="datetime-local",
            default_value=value,
            class_name=f"mt-0.5 {theme.INPUT}",
        ),
    )


def choices(legend: str, options: Any, on_choose: Any) -> rx.Component:
    """Buttons of which one is pressed: `options` is a list of (words, value, whether it is the one)."""
    return rx.el.div(
        *[
            rx.el.button(
                words,
                type="button",
                on_click=on_choose(value),
                class_name=rx.cond(is_on, f"{theme.CHOICE} {theme.CHOICE_ON}", f"{theme.CHOICE} {theme.CHOICE_OFF}"),
                custom_attrs={"aria-pressed": rx.cond(is_on, "true", "false")},
            )
            for words, value, is_on in options
        ],
        role="group",
        class_name="flex flex-wrap gap-1",
        custom_attrs={"aria-label": legend},
    )


def download_link(href: Any, name: str, words: str = "Download CSV") -> rx.Component:
    """Fetches `href` as the file `name`. Without `reload_document` the router takes it for one of our pages."""
    return ReactRouterLink.create(words, to=href, reload_document=True, download=name, class_name=theme.SECONDARY)
