"""What an address without a page shows."""

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.layout import portal_page


@portal_page("404", title="There is no such page")
def not_found() -> rx.Component:
    return rx.el.p(
        "The address may be mistyped, or the page is gone. ",
        rx.el.a("Go to the overview", href="/", class_name=theme.LINK),
        ".",
        class_name="text-sm",
    )
