"""How the Usage page draws its figures: the chart, the table behind it, and the table of groups."""

from typing import Any

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.charts.groups import HEIGHT
from aiservice.portal.charts.usage import bar_drawing
from aiservice.portal.components.browser import mount_in_sight
from aiservice.portal.components.parts import cell, data_table, table_row

HEADS = [
    *("Group", "Measure before", "Change", "Requests", "Errors", "Tokens in / out", "Cache read / written"),
    *("Reasoning", "Cost", "p50 / p95", "First byte", "Fallbacks"),
]


def groups_table(rows: Any, *, is_compared: Any) -> rx.Component:
    """The totals, a Var of `GroupRow`s; what was before is there where that was asked for."""
    few = [head for head in HEADS if head not in ("Measure before", "Change")]
    caption = "Usage by group over the whole range"
    # Ten columns and more fit a desk's window with less room between them.
    return rx.el.div(
        rx.cond(
            is_compared,
            data_table(HEADS, rx.foreach(rows, lambda row: _row(row, HEADS)), caption=caption),
            data_table(few, rx.foreach(rows, lambda row: _row(row, few)), caption=caption),
        ),
        class_name="sm:[&_:is(td,th)]:px-2",
    )


def groups_chart(rectangles: Any, plot: Any, keys: Any, *, summary: Any) -> rx.Component:
    first_paint = bar_drawing(rectangles, "h-[320px] w-full")
    ink = rx.color_mode_cond(light="#475569", dark="#cbd5e1")
    # Here and not above: a server that has its build does not draw pages, and need not hold plotly in memory (6 MB).
    from plotly.graph_objs import Figure  # noqa: PLC0415
    from plotly.graph_objs.layout import Template  # noqa: PLC0415

    drawn = rx.plotly.basic(
        data=plot.to(Figure),
        template=rx.Var.create({"layout": {"font": {"color": ink}}}).to(Template),
        config={"displayModeBar": False, "responsive": True},
        use_resize_handler=True,
        class_name="h-[320px] w-full",
    )
    return rx.el.figure(
        rx.el.div(
            mount_in_sight(drawn, fallback=first_paint),
            style={"height": f"{HEIGHT}px"},
            class_name="overflow-hidden",
            role="img",
            aria_label=summary,
        ),
        rx.el.ul(rx.foreach(keys, _key), class_name="mt-3 flex flex-wrap gap-x-4 gap-y-1.5 text-xs empty:hidden"),
        rx.el.figcaption(summary, class_name=f"mt-2 text-sm {theme.MUTED}"),
    )


def _key(key: Any) -> rx.Component:
    """A line of the legend; the sign stands for the pattern, for whom the colours look alike."""
    return rx.el.li(
        rx.el.span(
            key["sign"],
            style={"background_color": key["colour"]},
            class_name="grid size-3.5 shrink-0 place-items-center rounded-sm text-[0.625rem] leading-none text-white",
            custom_attrs={"aria-hidden": "true"},
        ),
        rx.el.span(key["name"], class_name="min-w-0 wrap-anywhere"),
        class_name="flex items-center gap-1.5",
    )


def lines_table(heads: Any, lines: Any, *, summary: Any) -> rx.Component:
    """The chart's points, `Line`s under `Head`s: each figure leads to its requests."""
    return rx.el.div(
        rx.el.table(
            rx.el.caption(summary, class_name="sr-only"),
            rx.el.thead(
                rx.el.tr(
                    rx.el.th("From", scope="col", class_name=theme.TH),
                    rx.foreach(heads, lambda head: rx.el.th(head["name"], scope="col", class_name=theme.TH)),
                )
            ),
            rx.el.tbody(rx.foreach(lines, lambda line: _line(heads, line))),
            class_name="w-full text-left text-sm",
        ),
        class_name="relative -mx-5 mt-3 max-h-96 overflow-auto px-2",
        tab_index=0,
        role="region",
        custom_attrs={"aria-label": "The chart's figures"},
    )


def _line(heads: Any, line: Any) -> rx.Component:
    return rx.el.tr(
        rx.el.th(line["at"], scope="row", class_name=f"{theme.TH} whitespace-nowrap tabular-nums"),
        rx.foreach(
            line["cells"],
            lambda text, place: rx.el.td(
                rx.cond(
                    heads[place]["is_linked"],
                    ReactRouterLink.create(
                        text,
                        to="/requests?" + line["span"] + heads[place]["query"],
                        class_name=theme.LINK,
                    ),
                    rx.el.span(text),
                ),
                class_name="px-3 py-1 whitespace-nowrap tabular-nums",
            ),
        ),
        class_name=theme.LINE,
    )


def _row(row: Any, heads: list[str]) -> rx.Component:
    cells = {
        "Group": cell(
            rx.cond(
                row["href"] != "",
                ReactRouterLink.create(
                    row["name"],
                    to=row["href"],
                    title=row["name"],
                    class_name=f"block {theme.CUT} sm:max-w-44 {theme.LINK}",
                ),
                rx.el.span(
                    row["name"],
                    title=row["name"],
                    class_name=f"block {theme.CUT} sm:max-w-44 font-medium",
                ),
            )
        ),
        "Measure before": _figure(row["before"]),
        "Change": _figure(row["change"]),
        "Requests": cell(
            rx.cond(
                row["log_href"] != "",
                ReactRouterLink.create(
                    row["requests"],
                    rx.el.span(" requests of ", row["name"], ", one by one", class_name="sr-only"),
                    to=row["log_href"],
                    class_name=f"tabular-nums {theme.LINK}",
                ),
                rx.el.span(row["requests"], class_name="tabular-nums"),
            )
        ),
        "Errors": _figure(row["errors"]),
        "Tokens in / out": _figure(row["tokens"]),
        "Cache read / written": _figure(row["cached"]),
        "Reasoning": _figure(row["reasoning"]),
        "Cost": _figure(row["cost"]),
        "p50 / p95": _figure(row["latency"]),
        "First byte": _figure(row["first_byte"]),
        "Fallbacks": _figure(row["fallbacks"]),
    }
    return table_row(heads, *[cells[head] for head in heads])


def _figure(text: Any) -> Any:
    return cell(text, class_name="tabular-nums")
