"""One request at its own address: how it ended, what it cost, and a waterfall of every attempt with its reason."""

from typing import Any

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.components.browser import zone_switch
from aiservice.portal.components.request_detail import request_detail
from aiservice.portal.layout import portal_page, registered_pages
from aiservice.portal.session.request_shown import REQUESTS, RequestState

page: Any = RequestState  # in markup its attributes are Vars


@portal_page("/requests/[request_id]", title="Request", on_load=RequestState.load, below=REQUESTS)
def request() -> rx.Component:
    return request_detail(
        page,
        head=ReactRouterLink.create("All requests", to=REQUESTS, class_name=theme.SECONDARY),
        facts_head=zone_switch(page.zone, page.choose_zone),
        has_playground=any(one.route == "/playground" for one in registered_pages()),
    )
