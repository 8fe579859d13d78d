"""The frame around every page, and the registry from which navigation is built."""

from functools import partial

import reflex as rx

from aiservice.portal.layout.frame import PRODUCT, framed, plain
from aiservice.portal.layout.registry import portal_page, registered_pages

__all__ = ["add_pages", "portal_page", "registered_pages"]


def add_pages(app: rx.App) -> None:
    """Gives every registered page its route, framed or plain, with its title."""
    for page in registered_pages():
        frame = framed if page.is_framed else plain
        # A callable: where the portal is built already, no page is ever evaluated.
        app.add_page(partial(frame, page), route=page.route, title=f"{page.title} · {PRODUCT}", on_load=page.on_load)
