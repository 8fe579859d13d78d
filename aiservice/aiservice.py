"""The composition root: builds the portal and puts our own program in front of it."""

from typing import Any

import reflex as rx
from reflex.utils.prerequisites import get_web_dir
from reflex_base import constants

from aiservice.kit.discover import modules_of
from aiservice.portal import pages
from aiservice.portal.front import Front
from aiservice.portal.layout import add_pages
from aiservice.portal.policy import BrowserPolicy
from aiservice.portal.session import guard
from aiservice.principal import Person


class BrokerApp(rx.App):
    """A Reflex app whose ASGI callable is ours: every server that asks Reflex for its app is given our front."""

    def __call__(self) -> Any:
        reflex = super().__call__()
        return Front(
            reflex,
            policy=BrowserPolicy.of_build(get_web_dir() / constants.Dirs.STATIC),
            is_https=lambda scope: scope.get("scheme") in ("https", "wss"),
        )


async def _resolve(cookie: str) -> Person | None:
    return None


app = BrokerApp(
    html_lang="en",
    toaster=None,
    app_wraps={},
    head_components=[rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml")],
)
assert app.sio is not None  # noqa: S101 - for the type checker: a stateful app has one
# Same origin only; Reflex's own [] would switch the check off.
app.sio.eio.cors_allowed_origins = None
modules_of(pages)
add_pages(app)
guard.install(app, _resolve)
