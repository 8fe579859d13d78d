"""Where a browser is sent after a form: only ever to a page of ours."""

import re
from urllib.parse import urlencode

HOME = "/"
MAX_CHARACTERS = 512
# An allow-list: no second slash, no backslash, no dot segment, no percent sign before the question mark, no scheme, no
# control character. So there is nothing that a browser or a proxy could read as another host.
_PAGE = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?)?")
_QUERY = re.compile(r"[A-Za-z0-9._~=&%+:,@-]*")


def safe_next(text: str | None) -> str:
    """`text` if it is a path (and query) of this portal, else the home page."""
    if not text or len(text) > MAX_CHARACTERS:
        return HOME
    page, _, query = text.partition("?")
    if _PAGE.fullmatch(page) and _QUERY.fullmatch(query):
        return text
    return HOME


def with_query(page: str, **values: str) -> str:
    """`page` with those of `values` that are not empty as its query."""
    given = {name: value for name, value in values.items() if value}
    return f"{page}?{urlencode(given)}" if given else page
