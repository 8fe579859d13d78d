"""The frame: navigation, the signed-in person, the notice, the banners, and the page inside."""

from typing import Any

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, sight
from aiservice.portal.components.icons import icon
from aiservice.portal.components.parts import alert, field, skeleton
from aiservice.portal.components.scheme import scheme_switch
from aiservice.portal.layout.bell import ALERTS, bell
from aiservice.portal.layout.registry import PageSpec, navigation
from aiservice.portal.session.guard import SessionState, handler, show_notice, tell
from aiservice.portal.session.live import SightState

PRODUCT = "aiservice"


class FrameState(rx.State):
    """What the frame itself does."""

    @handler(public=True)
    async def dismiss(self) -> None:
        show_notice(await self.get_state(SessionState), "", "")

    @handler("account.confirm")
    async def confirmed(self, _answer: str) -> None:
        """After the password was said again in the notice: what was refused is left to the person to do again."""
        await tell(self, "Thank you. Now do it again: your password is not asked for in the next five minutes.")


def framed(page: PageSpec) -> rx.Component:
    """A page for signed-in people: navigation at the side, its content in the middle."""
    return rx.el.div(
        _offline_banner(),
        rx.el.div(
            _sidebar(page),
            rx.el.main(
                _insecure_banner(),
                rx.el.h1(page.title, class_name=f"mb-5 {theme.H1}"),
                notice(),
                rx.cond(SessionState.is_signed_in, _content(page), _waiting()),
                sight(SightState.seen),
                id="content",
                class_name="min-w-0 flex-1 px-3 py-6 sm:px-8",
            ),
            class_name="mx-auto flex max-w-7xl flex-col md:flex-row",
        ),
        class_name=theme.PAGE,
    )


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
        _offline_banner(),
        rx.el.main(
            rx.el.div(_brand(), class_name="mb-6 flex justify-center"),
            rx.el.div(
                rx.el.h1(page.title, class_name=f"mb-4 {theme.H1}"),
                notice(),
                page.content(),
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
            ),
            rx.el.button(
                icon("close"),
                type="button",
                on_click=FrameState.dismiss,
                class_name=f"{theme.ICON_BUTTON} -my-2 -mr-2 shrink-0",
                custom_attrs={"aria-label": "Dismiss"},
            ),
            role="alert",
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
        field(
            "Your password",
            "password",
            id="password-again",
            type="password",
            required=True,
            auto_focus=True,
            auto_complete="current-password",
        ),
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
        rx.el.img(src="/favicon.svg", alt="", class_name="size-7"),
        rx.el.span(PRODUCT, class_name="font-semibold tracking-tight"),
        href="/",
        class_name=f"flex items-center gap-2 rounded-lg {theme.FOCUS}",
    )


# What does not fit on a low screen scrolls; who is signed in, and the way out, stay in sight.
_NAV_LIST = (
    "flex gap-1 max-md:flex-wrap md:-mx-1 md:mt-4 md:min-h-0 md:flex-1 md:flex-col md:gap-0.5 md:overflow-y-auto md:p-1"
)


def _sidebar(page: PageSpec) -> rx.Component:
    return rx.el.header(
        rx.el.a("Skip to content", href="#content", class_name=theme.SKIP),
        rx.el.div(_brand(), class_name="px-2 max-md:py-1"),
        rx.el.nav(
            *[_nav_item(item, is_here=item.route in (page.route, page.below)) for item in navigation()],
            class_name=_NAV_LIST,
            custom_attrs={"aria-label": "Main"},
        ),
        rx.el.div(
            scheme_switch(), _person(), class_name="flex shrink-0 items-center gap-2 md:flex-col md:items-stretch"
        ),
        class_name=(
            "flex shrink-0 flex-col gap-2 border-slate-200 bg-white p-3 dark:border-slate-800 dark:bg-slate-900 "
            "max-md:border-b md:sticky md:top-0 md:h-screen md:w-56 md:border-r md:py-6"
        ),
    )


def _nav_item(item: PageSpec, *, is_here: bool) -> rx.Component:
    look = theme.NAV_HERE if is_here else theme.NAV
    entry = rx.el.a(
        icon(item.icon),
        rx.el.span(item.title, class_name="whitespace-nowrap"),
        *([bell()] if item.route == ALERTS else []),
        href=item.route,
        class_name=look,
        custom_attrs={"aria-current": "page"} if is_here else {},
    )
    return rx.cond(SessionState.is_admin, entry) if item.is_admin else entry


def _person() -> rx.Component:
    return rx.el.div(
        rx.el.span(SessionState.email, class_name=f"truncate text-sm {theme.MUTED}", title=SessionState.email),
        action_form(
            action="/auth/sign-out",
            submit="Sign out",
            after="leave",
            next="/sign-in",
            submit_class=f"{theme.SECONDARY} md:w-full",
            class_name="",
        ),
        class_name="flex min-w-0 items-center justify-between gap-2 max-md:grow md:flex-col md:items-stretch",
    )


def _offline_banner() -> rx.Component:
    return rx.cond(
        has_connection_errors,
        rx.el.div(
            alert(
                "The connection to the server is lost. Trying again; what you typed is kept.", kind="warn", role="alert"
            ),
            class_name="sticky top-0 z-20 p-2",
        ),
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
