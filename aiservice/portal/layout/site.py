"""What the frame knows of the whole site, as one JavaScript module: pages, groups, icons, shortcuts, class names.

Every page has the same frame. As data in a module of its own it is loaded once and kept, instead of being compiled into
each page.
"""

import json
from typing import Any

from reflex_base.config import get_config

from aiservice.portal.components.icons import paths_of
from aiservice.portal.layout.look import FRAME
from aiservice.portal.layout.registry import GROUPS, PageSpec, navigation, registered_pages

PRODUCT = "aiservice"
DOCS = "/docs/start"
ALERTS = "/alerts"

# The second letter of "g x". Only of pages that there are.
_LETTERS = {
    "/": "o",
    "/first-call": "f",
    "/usage": "u",
    "/requests": "l",
    "/keys": "k",
    "/preferences": "p",
    "/playground": "y",
    "/limits": "m",
    "/budgets": "b",
    "/alerts": "a",
    "/providers": "v",
    "/users": "s",
}
DOCS_LETTER = "d"
_FRAME_ICONS = ("menu", "close", "search", "down", "sun", "moon", "screen", "out", "book", "wifi")


def site_module() -> str:
    """The text of `utils/site.js`. To be called once every page is registered."""
    pages = navigation()
    site = {
        "product": PRODUCT,
        "base": (get_config().frontend_path or "").rstrip("/"),
        "docs": DOCS,
        "alerts": ALERTS,
        "groups": [{"name": name, "title": title} for name, title in GROUPS.items()],
        "pages": [_page(page) for page in pages],
        "below": {page.route: page.below for page in registered_pages() if page.below},
        "letters": letters(),
        "icons": paths_of(*_FRAME_ICONS, *(page.icon for page in pages)),
        "styles": FRAME,
    }
    about = "// What the frame knows of the site; made from the registry of pages."
    return f"{about}\nexport const site = {_literal(site)};\n"


def letters() -> dict[str, str]:
    """The second letter of each page's shortcut, by route."""
    there = {page.route for page in navigation()}
    return {route: letter for route, letter in _LETTERS.items() if route in there} | {DOCS: DOCS_LETTER}


def _page(page: PageSpec) -> dict[str, Any]:
    return {
        "route": page.route,
        "title": page.title,
        "icon": page.icon,
        "group": page.group,
        "isAdmin": page.is_admin,
        "actions": [{"title": title, "to": address} for title, address in page.actions],
    }


def _literal(value: Any) -> str:
    """JSON that is also JavaScript, whatever reads the file."""
    return json.dumps(value, indent=1, ensure_ascii=True)
