"""A key in the list: what it is, how it stands, what it did in 30 days, what binds it first."""

from collections.abc import Sequence
from typing import Any, TypedDict

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.components.key_dialogs import edit_key, end_overlap, revoke_key, roll_key, see_again
from aiservice.portal.components.parts import badge, cell, data_table, state_badge, table_row
from aiservice.portal.queries import Zone, url_of
from aiservice.principal import Person
from aiservice.services.key_listing import KeyLine, share_of
from aiservice.services.key_rights import READ_SCOPE
from aiservice.services.key_views import KeyView
from aiservice.services.limit_names import words_of

HEADS = ["Name", "Client, owner", "State", "30 days, last use", "Limit that binds first", ""]
_KINDS = {"active": "good", "rolling": "warn", "stopped": "bad", "expired": "plain", "revoked": "bad"}
_MAX_SHOWN = 3
_WIDTH, _HEIGHT = 3, 20  # of a day in the sparkline, in its own units
_NEARLY = 0.8


class KeyRow(TypedDict):
    """A key in the list. `requests_path` and `errors_path` draw its month; `limit_width` is a CSS percentage."""

    id: str
    name: str
    start: str
    client: str
    owner: str
    state: str
    state_kind: str
    detail: str
    outgoing: str
    created: str
    used: str
    log: str
    networks: str
    scopes: str
    bounds: str
    requests_path: str
    errors_path: str
    month: str
    limit: str
    limit_width: str
    limit_level: str
    is_live: bool
    is_rolling: bool
    is_expired: bool
    is_idle: bool
    is_leaked: bool
    is_mine_to_see: bool


def row_of(line: KeyLine, me: Person, zone: Zone) -> KeyRow:
    key = line.key
    newest = key.secrets[-1].public_id if key.secrets else ""
    requests_path, errors_path = sparkline(line.days)
    limit, limit_width, limit_level = _limit(line)
    return KeyRow(
        id=key.id,
        name=key.name,
        start=f"ais_{'test' if key.is_test else 'live'}_{newest}…" if newest else "",
        client=key.client,
        owner=line.owner or "nobody's",
        state=key.state,
        state_kind=_KINDS[key.state],
        detail=_detail(key, zone),
        outgoing=_outgoing(line),
        created=f"made {zone.moment(key.created_us):%Y-%m-%d}",
        used=f"used {zone.show(key.last_used_us)[:16]}" if key.last_used_us else "never used",
        log=url_of("/requests", {"key": key.id}),
        networks=" ".join(key.networks or ()),
        scopes=" ".join(key.scopes or ()),
        bounds=_bounds(key),
        requests_path=requests_path,
        errors_path=errors_path,
        month=_month(line.days),
        limit=limit,
        limit_width=limit_width,
        limit_level=limit_level,
        is_live=key.state in ("active", "rolling", "stopped"),
        is_rolling=key.overlap_ends_us is not None,
        is_expired=key.state == "expired",
        is_idle=key.is_idle,
        is_leaked=key.leaked_us is not None,
        is_mine_to_see=key.copy_owner_id == me.user_id,
    )


def sparkline(days: Sequence[tuple[int, int]]) -> tuple[str, str]:
    """SVG paths of a bar a day: all requests, and below them those that failed."""
    most = max(max(requests, 1) for requests, _ in days)

    def bars(counts: list[int]) -> str:
        heights = [max(1, round(count * _HEIGHT / most)) if count else 0 for count in counts]
        return "".join(f"M{at * _WIDTH} {_HEIGHT}v-{tall}h2v{tall}z" for at, tall in enumerate(heights) if tall)

    return bars([requests for requests, _ in days]), bars([errors for _, errors in days])


def _month(days: Sequence[tuple[int, int]]) -> str:
    requests, errors = sum(day[0] for day in days), sum(day[1] for day in days)
    if not requests:
        return "no requests"
    return f"{requests:,} requests" + (f", {errors:,} failed" if errors else "")


def _limit(line: KeyLine) -> tuple[str, str, str]:
    """The key's tightest limit in words, the width of its bar, and how near it is."""
    standing = line.tightest
    if standing is None:
        return "its client's alone" if line.key.client_limits else "none", "", ""
    part = share_of(standing)
    words = f"{standing.used:,} of {standing.limit.amount:,} {words_of(standing.limit.name)}"
    return words, f"{part:.0%}", "bad" if part >= 1 else "warn" if part >= _NEARLY else "good"


def _detail(key: KeyView, zone: Zone) -> str:
    if key.state == "stopped":
        return "whoever made it may no longer use its client: roll it to take it over"
    if key.state == "rolling" and key.overlap_ends_us is not None:
        return f"the old secret works until {zone.show(key.overlap_ends_us)[:16]}"
    if key.expires_us is not None:
        return f"{'expired' if key.state == 'expired' else 'expires'} {zone.show(key.expires_us)[:16]}"
    return ""


def _outgoing(line: KeyLine) -> str:
    if line.key.overlap_ends_us is None:
        return ""
    count = line.outgoing_calls
    if not count:
        return "no call in the last hour used the old secret"
    return f"{count:,} call{'' if count == 1 else 's'} in the last hour still used the old secret"


def _bounds(key: KeyView) -> str:
    """In a few words what it may do, and from where."""
    told = []
    if key.scopes is not None:
        told.append("reads only" if key.scopes == (READ_SCOPE,) else f"may: {_few(key.scopes)}")
    if key.connections is not None:
        told.append(f"by {_few(key.connections)}")
    if key.models is not None:
        told.append(f"models {_few(key.models)}")
    if key.networks is not None:
        told.append(f"from {_few(key.networks)}")
    return " · ".join(told)


def _few(names: tuple[str, ...]) -> str:
    rest = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
    return ", ".join(names[:_MAX_SHOWN]) + rest


def key_table(page: Any) -> rx.Component:
    """The table of the page's rows; `page` is the state of the list."""
    return data_table(HEADS, rx.foreach(page.rows, lambda row: _row(page, row)), caption="Client keys")


def _row(page: Any, row: Any) -> rx.Component:
    muted = f"block text-xs {theme.MUTED}"
    return table_row(
        HEADS,
        cell(
            rx.el.div(
                rx.el.span(
                    row["name"],
                    class_name=f"block {theme.CUT} sm:max-w-40 font-medium",
                    title=row["name"],
                ),
                rx.el.span(row["start"], class_name=f"block font-mono text-xs {theme.MUTED}"),
                rx.el.span(row["created"], class_name=muted),
                class_name="min-w-0",
            )
        ),
        cell(
            rx.el.div(
                rx.el.span(row["client"], class_name=f"block {theme.CUT} sm:max-w-32", title=row["client"]),
                rx.el.span(row["owner"], class_name=f"{theme.CUT} sm:max-w-32 {muted}", title=row["owner"]),
                class_name="min-w-0",
            )
        ),
        cell(
            rx.el.div(
                rx.el.span(
                    state_badge(row["state"], row["state_kind"]),
                    rx.cond(row["is_leaked"], badge("leaked", "bad")),
                    rx.cond(row["is_idle"], badge("idle", "warn")),
                    class_name="flex flex-wrap gap-1",
                ),
                *(rx.cond(row[name] != "", rx.el.span(row[name], class_name=muted)) for name in _TOLD),
            )
        ),
        cell(_spark(row)),
        cell(_limit_bar(row)),
        cell(_actions(page, row)),
        key=row["id"],
    )


_TOLD = ("detail", "outgoing", "bounds")


def _spark(row: Any) -> rx.Component:
    """The words say what the picture shows, so that it is no news to a screen reader."""
    return rx.el.div(
        rx.el.svg(
            rx.el.path(d=row["requests_path"], class_name=theme.SPARK["requests"]),
            rx.el.path(d=row["errors_path"], class_name=theme.SPARK["errors"]),
            view_box=f"0 0 {30 * _WIDTH} {_HEIGHT}",
            custom_attrs={"aria-hidden": "true"},
            class_name=f"h-5 w-24 {theme.BASELINE}",
        ),
        rx.el.span(row["month"], class_name=f"block text-xs whitespace-nowrap tabular-nums {theme.MUTED}"),
        ReactRouterLink.create(
            row["used"], to=row["log"], class_name=f"block w-fit text-xs whitespace-nowrap {theme.LINK}"
        ),
    )


def _limit_bar(row: Any) -> rx.Component:
    fill = rx.match(
        row["limit_level"],
        ("bad", theme.BAR_FILLS["bad"]),
        ("warn", theme.BAR_FILLS["warn"]),
        theme.BAR_FILLS["good"],
    )
    bar = rx.el.div(
        rx.el.div(class_name=fill, style={"width": row["limit_width"]}),
        class_name=f"mt-1 {theme.BAR}",
        custom_attrs={"aria-hidden": "true"},
    )
    return rx.el.div(
        rx.el.span(row["limit"], class_name=f"block text-xs tabular-nums {theme.MUTED}"),
        rx.cond(row["limit_width"] != "", bar),
        class_name="min-w-24",
    )


def _actions(page: Any, row: Any) -> rx.Component:
    of_live = rx.el.div(
        rx.cond(row["is_rolling"], end_overlap(page, row)),
        rx.cond(row["is_mine_to_see"], see_again(page, row)),
        edit_key(page, row),
        roll_key(page, row),
        revoke_key(page, row),
        class_name="flex flex-wrap justify-end gap-x-1 max-sm:justify-start sm:-mr-2 sm:min-w-32",
    )
    of_expired = rx.el.div(
        rx.el.button("Roll", type="button", disabled=True, class_name=theme.QUIET),
        rx.el.span("It has expired: make another one.", class_name=f"block text-xs {theme.MUTED}"),
        class_name="text-right max-sm:text-left",
    )
    return rx.cond(row["is_live"], of_live, rx.cond(row["is_expired"], of_expired))
