"""Python's side of `factors.jsx`: what passkeys, authenticator apps and recovery codes need in the browser itself."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import STYLES as BROWSER_STYLES

_LIBRARY = "$/utils/factors"

STYLES = {
    **BROWSER_STYLES,
    "link": theme.LINK,
    "code6": f"{theme.INPUT} max-w-36 font-mono text-base tracking-widest",
    "text": f"mt-2 text-sm {theme.MUTED}",
}


class PasskeyButton(rx.Component):
    """Asks a passkey, and posts its answer to `action`. `after`: "leave" (load the page the answer names) or "stay"."""

    library = _LIBRARY
    tag = "PasskeyButton"

    ask: rx.Var[str]
    action: rx.Var[str]
    label: rx.Var[str]
    next: rx.Var[str]
    after: rx.Var[str]
    styles: rx.Var[dict[str, str]]
    on_done: rx.EventHandler[rx.event.passthrough_event_spec(str)]  # type: ignore[type-arg,valid-type]


class PasskeyAdd(rx.Component):
    """Makes a passkey; shows recovery codes where the answer has any."""

    library = _LIBRARY
    tag = "PasskeyAdd"

    ask: rx.Var[str]
    action: rx.Var[str]
    next: rx.Var[str]
    after: rx.Var[str]
    styles: rx.Var[dict[str, str]]
    on_done: rx.EventHandler[rx.event.passthrough_event_spec(str)]  # type: ignore[type-arg,valid-type]


class AppSetUp(rx.Component):
    """Sets up an authenticator app; shows recovery codes where the answer has any."""

    library = _LIBRARY
    tag = "AppSetUp"

    begin: rx.Var[str]
    prove: rx.Var[str]
    label: rx.Var[str]
    next: rx.Var[str]
    after: rx.Var[str]
    styles: rx.Var[dict[str, str]]
    on_done: rx.EventHandler[rx.event.passthrough_event_spec(str)]  # type: ignore[type-arg,valid-type]


class NewCodes(rx.Component):
    """Makes ten new recovery codes, after a question."""

    library = _LIBRARY
    tag = "NewCodes"

    action: rx.Var[str]
    label: rx.Var[str]
    text: rx.Var[str]
    styles: rx.Var[dict[str, str]]
    on_done: rx.EventHandler[rx.event.passthrough_event_spec(str)]  # type: ignore[type-arg,valid-type]


def passkey_button(label: str, *, ask: str, action: str, next: Any, class_name: str = theme.SECONDARY) -> rx.Component:  # noqa: A002 - the prop's name
    """A button that signs in with a passkey."""
    return PasskeyButton.create(
        ask=ask, action=action, label=label, next=next, after="leave", styles=STYLES, class_name=class_name
    )


def passkey_add(*, ask: str, action: str, **props: Any) -> rx.Component:
    """A form that adds a passkey; with `next` it leads on to that page."""
    props.setdefault("after", "leave" if "next" in props else "stay")
    return PasskeyAdd.create(ask=ask, action=action, styles=STYLES, **props)


def app_set_up(label: str, *, begin: str, prove: str, **props: Any) -> rx.Component:
    """A button that sets up an authenticator app; with `next` it leads on to that page."""
    props.setdefault("after", "leave" if "next" in props else "stay")
    props.setdefault("class_name", theme.PRIMARY)
    return AppSetUp.create(begin=begin, prove=prove, label=label, styles=STYLES, **props)


def new_codes(label: str, *, action: str, text: str, on_done: Any) -> rx.Component:
    return NewCodes.create(
        action=action, label=label, text=text, on_done=on_done, styles=STYLES, class_name=theme.SECONDARY
    )
