"""The frame: navigation, the signed-in person, the notice, the banners, and the page inside."""

from typing import Any

import reflex as rx
from reflex_base.config import get_config

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, password_again, sight
from aiservice.portal.components.icons import icon
from aiservice.portal.components.parts import alert, error_card, skeleton
from aiservice.portal.layout.bell import BellState, bell_watch
from aiservice.portal.layout.find import FindState
from aiservice.portal.layout.registry import PageSpec
from aiservice.portal.layout.shell import OfflineBanner, shell
from aiservice.portal.layout.site import PRODUCT
from aiservice.portal.session.guard import SessionState, handler, show_notice, tell
from aiservice.portal.session.live import SightState


class FrameState(rx.State):
    """What the frame itself does."""

    @handler(public=True)
    async def dismiss(self) -> None:
        show_notice(await self.get_state(SessionState), "", "")

    @handler("account.confirm")
    async def confirmed(self, _answer: str) -> None:
        """After the password was said again in the notice: what was refused is left to the person to do again."""
        await tell(self, "Thank you. Now do it again: your password is not asked for in the next five minutes.")


_bell: Any = BellState  # in markup its attributes are Vars


def framed(page: PageSpec) -> rx.Component:
    """A page for signed-in people: navigation at the side, its content in the middle, no wider than can be read."""
    return shell(
        rx.el.main(
            rx.el.div(
                _insecure_banner(),
                rx.el.h1(page.title, class_name=f"mb-5 {theme.H1}"),
                rx.cond(SessionState.load_error == "", notice()),  # what the page itself says is said once
                rx.cond(SessionState.is_signed_in, _loaded(page), _waiting()),
                bell_watch(),
                sight(SightState.seen),
                class_name=theme.CONTENT,
            ),
            id="content",
            tab_index=-1,
            class_name=f"min-w-0 flex-1 outline-none {theme.BELOW_THE_BAR}",
        ),
        email=SessionState.email,
        is_admin=SessionState.is_admin,
        alerts=rx.cond(_bell.count > 0, _bell.shown, ""),
        found=FindState.found,
        found_for=FindState.found_for,
        on_find=FindState.find,
    )


def _loaded(page: PageSpec) -> rx.Component:
    """The page, or why it could not be loaded."""
    if page.on_load is None:
        return _content(page)
    failed = error_card(
        "This page could not be loaded.",
        SessionState.load_error,
        request_id=SessionState.load_error_id,
        on_retry=page.on_load,
    )
    return rx.cond(SessionState.load_error != "", failed, _content(page))


def _content(page: PageSpec) -> rx.Component:
    """The page's content. That a developer sees none of an admin's page is a courtesy: its handlers refuse them."""
    content = page.content()
    if not page.is_admin:
        return content
    back = rx.el.a("Go to the overview", href="/", class_name=theme.LINK)
    return rx.cond(SessionState.is_admin, content, rx.el.p(back, class_name="text-sm"))


def plain(page: PageSpec) -> rx.Component:
    """A page for people who are not signed in: one card in the middle."""
    return rx.el.div(
        OfflineBanner.create(),
        rx.el.main(
            rx.el.div(_brand(), class_name="mb-6 flex justify-center"),
            rx.el.div(
                rx.el.h1(page.title, class_name=f"mb-4 {theme.H1}"),
                rx.cond(SessionState.load_error == "", notice()),
                _loaded(page),
                class_name=theme.CARD,
            ),
            id="content",
            class_name="mx-auto w-full max-w-md px-3 py-12",
        ),
        class_name=theme.PAGE,
    )


_NOTICE = "mb-5 flex items-start justify-between gap-3"


def notice() -> rx.Component:
    """The outcome of the last action: what failed, with its request id, or what was done."""
    return rx.cond(
        SessionState.notice != "",
        rx.el.div(
            rx.el.div(
                rx.el.span(SessionState.notice),
                rx.cond(
                    (SessionState.notice_id != "") & ~SessionState.asks_password,
                    rx.el.span("Request ", SessionState.notice_id, class_name="mt-1 block text-xs opacity-80"),
                ),
                rx.cond(SessionState.asks_password, _password_again()),
                class_name="min-w-0 break-words",
            ),
            rx.el.button(
                icon("close"),
                type="button",
                on_click=FrameState.dismiss,
                class_name=f"{theme.ICON_BUTTON} -my-2 -mr-2 shrink-0",
                custom_attrs={"aria-label": "Dismiss"},
            ),
            role="alert",
            custom_attrs={"data-notice": SessionState.notice_kind},  # a dialog that covers it tells an error, too
            class_name=rx.cond(
                SessionState.asks_password,
                f"{theme.ALERT['warn']} {_NOTICE}",
                rx.cond(
                    SessionState.notice_kind == "done",
                    f"{theme.ALERT['done']} {_NOTICE}",
                    f"{theme.ALERT['error']} {_NOTICE}",
                ),
            ),
        ),
    )


def _password_again() -> rx.Component:
    return action_form(
        password_again(FrameState.confirmed("")),
        action="/auth/secrets/confirm",
        submit="Confirm",
        on_done=FrameState.confirmed,
        class_name="mt-3 flex max-w-xs flex-col gap-3",
    )


def _waiting() -> rx.Component:
    return rx.el.div(
        skeleton("h-24"),
        skeleton("h-64"),
        class_name="flex flex-col gap-4",
        custom_attrs={"aria-busy": "true"},
    )


def _brand() -> rx.Component:
    return rx.el.a(
        rx.el.img(src=get_config().prepend_frontend_path("/favicon.svg"), alt="", class_name="size-7"),
        rx.el.span(PRODUCT, class_name="font-semibold tracking-tight"),
        href="/",
        class_name=f"flex items-center gap-2 rounded-lg {theme.FOCUS}",
    )


_IS_OPEN_HTTP: Any = rx.Var(
    "(typeof window !== 'undefined' && window.location.protocol === 'http:' && "
    "!['localhost', '127.0.0.1', '[::1]'].includes(window.location.hostname))",
    _var_type=bool,
)


def _insecure_banner() -> rx.Component:
    return rx.cond(
        SessionState.is_signed_in & _IS_OPEN_HTTP,
        rx.el.div(
            alert(
                "This page came over plain http: keys and passwords can be read on the way. "
                "Use TLS (AISERVICE_TLS_CERT and AISERVICE_TLS_KEY, or a proxy in AISERVICE_TRUSTED_PROXIES).",
                kind="warn",
            ),
            class_name="mb-4",
        ),
    )
