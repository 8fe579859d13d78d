"""Python's side of `browser.jsx`: the few components that must act in the browser itself."""

from typing import Any

import reflex as rx

from aiservice.portal import theme

_LIBRARY = "$/utils/browser"

_TAB = "rounded-t-lg px-3 py-2 text-sm font-medium whitespace-nowrap"
STYLES = {
    "error": f"{theme.ALERT['error']} mt-3",
    "warning": f"{theme.ALERT['warn']} mt-3",
    "submit": theme.PRIMARY,
    "secondary": theme.SECONDARY,
    "danger": theme.DANGER,
    "icon": theme.ICON_BUTTON,
    "title": theme.H2,
    "text": f"mt-2 text-sm {theme.MUTED}",
    "secret": "mt-3 block break-all rounded-lg bg-slate-100 p-3 font-mono text-sm dark:bg-slate-950",
    "dialog": (
        f"m-auto w-[min(32rem,calc(100vw-2rem))] {theme.CARD} text-left whitespace-normal "
        "text-slate-900 dark:text-slate-100 backdrop:bg-slate-950/60 shadow-xl"
    ),
    "label": theme.LABEL,
    "input": f"mt-1 {theme.INPUT}",
    "choice": "mt-4 flex items-center gap-2 text-sm font-medium",
    "box": f"size-4 accent-indigo-700 {theme.FOCUS}",
    "tabs": "flex gap-1 overflow-x-auto",
    "tabOn": f"{_TAB} bg-slate-900 text-white dark:bg-black {theme.FOCUS}",
    "tabOff": f"{_TAB} cursor-pointer {theme.MUTED} {theme.FOCUS}",
    "code": f"{theme.CODE} rounded-tl-none pr-24 max-sm:pt-12 {theme.FOCUS}",
    "codeCopy": (
        "rounded-md bg-slate-700 px-2.5 py-1 text-xs font-medium text-white cursor-pointer hover:bg-slate-600 "
        "focus-visible:outline-2 focus-visible:outline-white"
    ),
    "body": f"mt-1 max-h-96 overflow-auto whitespace-pre-wrap break-words text-sm {theme.CODE} {theme.FOCUS}",
    "bodyTitle": "mt-4 text-sm font-medium",
    "zone": "inline-flex items-center gap-1 text-sm",
    "choiceOn": f"{theme.CHOICE} {theme.CHOICE_ON}",
    "choiceOff": f"{theme.CHOICE} {theme.CHOICE_OFF}",
    "key": "block break-all font-mono text-sm",
    "keyNote": f"text-xs {theme.MUTED}",
    "keyRow": f"mb-4 flex flex-wrap items-center gap-3 {theme.ALERT['warn']}",
}


class CopyButton(rx.Component):
    """Copies `text`; works on plain http too."""

    library = _LIBRARY
    tag = "CopyButton"

    text: rx.Var[str]
    label: rx.Var[str]


class PasswordAgain(rx.Component):
    """The field that asks who is there: the password, a code, or (where this browser has used one) a passkey, of which
    `on_shown` is told."""

    library = _LIBRARY
    tag = "PasswordAgain"

    styles: rx.Var[dict[str, str]]
    on_shown: rx.EventHandler[rx.event.no_args_event_spec]  # type: ignore[type-arg,valid-type]


class ActionForm(rx.Component):
    """Posts its fields as JSON to `action`. `after`: "reveal" (a key, once), "leave" (load a page) or "stay"."""

    library = _LIBRARY
    tag = "ActionForm"

    action: rx.Var[str]
    fixed: rx.Var[dict[str, Any]]
    submit: rx.Var[str]
    busy: rx.Var[str]
    after: rx.Var[str]
    next: rx.Var[str]
    styles: rx.Var[dict[str, str]]
    from_query: rx.Var[list[str]]
    on_done: rx.EventHandler[rx.event.passthrough_event_spec(str)]  # type: ignore[type-arg,valid-type]


class KeptPayload(rx.Component):
    """A button that fetches what is kept of a request's bodies and shows it; no State ever holds it."""

    library = _LIBRARY
    tag = "KeptPayload"

    action: rx.Var[str]
    request: rx.Var[str]
    styles: rx.Var[dict[str, str]]


class ConfirmButton(rx.Component):
    """A button that asks before `on_confirm` happens; with a `choice` to tick, `on_choose` is told whether it was."""

    library = _LIBRARY
    tag = "ConfirmButton"

    label: rx.Var[str]
    title: rx.Var[str]
    text: rx.Var[str]
    choice: rx.Var[str]
    confirm: rx.Var[str]
    disabled: rx.Var[bool]
    styles: rx.Var[dict[str, str]]
    on_confirm: rx.EventHandler[rx.event.no_args_event_spec]  # type: ignore[type-arg,valid-type]
    on_choose: rx.EventHandler[rx.event.passthrough_event_spec(bool)]  # type: ignore[type-arg,valid-type]


class OpenDialog(rx.Component):
    """A button that opens its children in a modal dialog; a change of `close_signal` closes it, an address that ends in
    "#" and `opens_at` opens it."""

    library = _LIBRARY
    tag = "OpenDialog"

    label: rx.Var[str]
    title: rx.Var[str]
    styles: rx.Var[dict[str, str]]
    close_signal: rx.Var[int]
    opens_at: rx.Var[str]


class ZoneSwitch(rx.Component):
    """Chooses between UTC and the browser's own time zone, which only the browser knows."""

    library = _LIBRARY
    tag = "ZoneSwitch"

    zone: rx.Var[str]
    styles: rx.Var[dict[str, str]]
    on_choose: rx.EventHandler[rx.event.passthrough_event_spec(str)]  # type: ignore[type-arg,valid-type]


class ZoneField(rx.Component):
    """A field for an IANA time zone, with those that the browser knows and a button for its own."""

    library = _LIBRARY
    tag = "ZoneField"

    zone: rx.Var[str]
    hint: rx.Var[str]
    styles: rx.Var[dict[str, str]]


class MountInSight(rx.Component):
    """Its first child, and its second once it is about to be seen and the browser has nothing better to do."""

    library = _LIBRARY
    tag = "MountInSight"


class Unfold(rx.Component):
    """A `details` whose children are first made when it is opened."""

    library = _LIBRARY
    tag = "Unfold"

    summary: rx.Var[str]
    summary_class: rx.Var[str]


class Sight(rx.Component):
    """Says when the tab comes into sight and out of it."""

    library = _LIBRARY
    tag = "Sight"

    on_seen: rx.EventHandler[rx.event.passthrough_event_spec(bool)]  # type: ignore[type-arg,valid-type]


def sight(on_seen: Any) -> rx.Component:
    """Nothing to be seen; `on_seen` is told whether the tab is."""
    return Sight.create(on_seen=on_seen)


def copy_button(text: Any, label: str = "Copy", class_name: str = theme.SECONDARY) -> rx.Component:
    return CopyButton.create(text=text, label=label, class_name=class_name)


def action_form(
    *fields: Any, action: Any, submit: str, after: str = "stay", submit_class: str | None = None, **props: Any
) -> rx.Component:
    """A form for one of the portal's own routes; see `ActionForm`."""
    props.setdefault("busy", "One moment…")
    props.setdefault("class_name", "flex flex-col gap-4")
    styles = STYLES if submit_class is None else {**STYLES, "submit": submit_class}
    return ActionForm.create(*fields, action=action, submit=submit, after=after, styles=styles, **props)


def password_again(on_shown: Any) -> rx.Component:
    """What stands in a form for `/auth/secrets/confirm`; a passkey needs no such form, and calls `on_shown`."""
    return PasswordAgain.create(styles=STYLES, on_shown=on_shown)


def kept_payload(request_id: Any, *, action: str) -> rx.Component:
    """What is kept of a request's bodies; keyed by the request, so that the next page's begins empty."""
    return KeptPayload.create(action=action, request=request_id, styles=STYLES, key=request_id)


def confirm_button(label: Any, *, title: Any, text: Any, confirm: str, on_confirm: Any, **props: Any) -> rx.Component:
    props.setdefault("class_name", theme.QUIET)
    return ConfirmButton.create(
        label=label, title=title, text=text, confirm=confirm, on_confirm=on_confirm, styles=STYLES, **props
    )


def choose_button(
    label: Any, *, title: Any, text: Any, choice: str, confirm: str, on_choose: Any, **props: Any
) -> rx.Component:
    """As `confirm_button`, with something to tick, of which `on_choose` is told."""
    props.setdefault("class_name", theme.QUIET)
    return ConfirmButton.create(
        label=label, title=title, text=text, choice=choice, confirm=confirm, on_choose=on_choose, styles=STYLES, **props
    )


def open_dialog(*content: Any, label: Any, title: Any, close_signal: Any, **props: Any) -> rx.Component:
    props.setdefault("class_name", theme.PRIMARY)
    return OpenDialog.create(*content, label=label, title=title, close_signal=close_signal, styles=STYLES, **props)


def zone_switch(zone: Any, on_choose: Any) -> rx.Component:
    """`zone` is the one in use; `on_choose` is given the name of the other."""
    return ZoneSwitch.create(zone=zone, on_choose=on_choose, styles=STYLES)


def zone_field(zone: Any, *, hint: str) -> rx.Component:
    """The field `time_zone` of a form; `zone` is what it begins with."""
    return ZoneField.create(zone=zone, hint=hint, styles={**STYLES, "hint": theme.HINT})


def unfold(summary: str, content: rx.Component, *, class_name: str = "") -> rx.Component:
    """What is large and seldom looked at, behind a line to open it with."""
    style = f"w-fit cursor-pointer text-sm {theme.LINK}"
    return Unfold.create(content, summary=summary, summary_class=style, class_name=class_name)


def mount_in_sight(content: rx.Component, *, fallback: rx.Component) -> rx.Component:
    return MountInSight.create(fallback, content)
