"""The frame around every page, and the registry from which navigation is built."""

from collections.abc import Callable

import reflex as rx

from aiservice.portal.layout.frame import framed, plain
from aiservice.portal.layout.registry import PageSpec, portal_page, registered_pages
from aiservice.portal.layout.site import PRODUCT

__all__ = ["add_pages", "portal_page", "registered_pages"]


def add_pages(app: rx.App) -> None:
    """Gives every registered page its route, framed or plain, with its title."""
    for page in registered_pages():
        app.add_page(_component(page), route=page.route, title=f"{page.title} · {PRODUCT}", on_load=page.on_load)


def _component(page: PageSpec) -> Callable[[], rx.Component]:
    """The page in its frame, as a callable: where the portal is built already, no page is ever evaluated."""

    def component() -> rx.Component:
        return framed(page) if page.is_framed else plain(page)

    # Reflex puts what it compiles of a page into a script named after this module: under one name, every page would
    # load the parts of all of them.
    component.__module__ = page.content.__module__
    return component
