"""Python's side of `shell.jsx`: the frame around a page, as a component that is told who is signed in."""

from pathlib import Path
from typing import Any

import reflex as rx

_HERE = Path(__file__).parent
_MODULES = ("shell", "shortcuts", "palette", "offline")


class Shell(rx.Component):
    """Navigation, drawer, palette, shortcuts and the offline banner, around its children."""

    library = "$/utils/shell"
    tag = "Shell"

    email: rx.Var[str]
    is_admin: rx.Var[bool]
    alerts: rx.Var[str]
    found: rx.Var[list[dict[str, str]]]
    found_for: rx.Var[str]
    on_find: rx.EventHandler[rx.event.passthrough_event_spec(str)]  # type: ignore[type-arg,valid-type]


class ShortcutSwitch(rx.Component):
    """A check box that switches shortcuts of single keys off and on, in this browser."""

    library = "$/utils/shortcuts"
    tag = "ShortcutSwitch"


class OfflineBanner(rx.Component):
    """What stands above a page while its server is away."""

    library = "$/utils/offline"
    tag = "OfflineBanner"


def shell(*children: Any, **props: Any) -> rx.Component:
    return Shell.create(*children, **props)


def shortcut_switch() -> rx.Component:
    return ShortcutSwitch.create()


def frame_modules() -> list[tuple[Path, str]]:
    """The frame's JavaScript, by where the build wants it."""
    from aiservice.portal.layout.site import site_module  # noqa: PLC0415 - once the pages are registered

    texts = [(Path(f"utils/{name}.jsx"), (_HERE / f"{name}.jsx").read_text(encoding="utf-8")) for name in _MODULES]
    return [*texts, (Path("utils/site.js"), site_module())]
