"""How the Usage page draws its figures: the chart, the table behind it, and the table of groups."""

from typing import Any

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.charts.groups import HEIGHT
from aiservice.portal.charts.usage import HEIGHT as BOX_HEIGHT
from aiservice.portal.charts.usage import WIDTH as BOX_WIDTH
from aiservice.portal.components.browser import mount_on_idle
from aiservice.portal.components.parts import cell, data_table, table_row

HEADS = ["Group", "Requests", "Errors", "Tokens in", "Tokens out", "Cost", "p50 / p95", "Log"]


def groups_table(rows: Any) -> rx.Component:
    """The totals, a Var of `GroupRow`s."""
    return data_table(HEADS, rx.foreach(rows, _row), caption="Usage by group over the whole range")


def groups_chart(rectangles: Any, plot: Any, *, summary: Any) -> rx.Component:
    first_paint = rx.el.svg(
        rx.foreach(
            rectangles,
            lambda box: rx.el.rect(
                x=box["x"],
                y=box["y"],
                width=box["width"],
                height=box["height"],
                class_name="fill-indigo-500",
            ),
        ),
        view_box=f"0 0 {BOX_WIDTH} {BOX_HEIGHT}",
        preserve_aspect_ratio="none",
        class_name="h-[320px] w-full",
        custom_attrs={"aria-hidden": "true"},
    )
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
            mount_on_idle(drawn, fallback=first_paint),
            style={"height": f"{HEIGHT}px"},
            class_name="overflow-hidden",
            role="img",
            aria_label=summary,
        ),
        rx.el.figcaption(summary, class_name=f"mt-2 text-sm {theme.MUTED}"),
    )


def lines_table(heads: Any, lines: Any, *, summary: Any) -> rx.Component:
    return rx.el.div(
        rx.el.table(
            rx.el.caption(summary, class_name="sr-only"),
            rx.el.thead(
                rx.el.tr(
                    rx.el.th("From", scope="col", class_name=theme.TH),
                    rx.foreach(heads, lambda name: rx.el.th(name, scope="col", class_name=theme.TH)),
                )
            ),
            rx.el.tbody(
                rx.foreach(
                    lines,
                    lambda line: rx.el.tr(
                        rx.el.th(line["at"], scope="row", class_name=f"{theme.TH} whitespace-nowrap tabular-nums"),
                        rx.foreach(
                            line["cells"],
                            lambda text: rx.el.td(text, class_name="px-3 py-1 whitespace-nowrap tabular-nums"),
                        ),
                        class_name=theme.LINE,
                    ),
                )
            ),
            class_name="w-full text-left text-sm",
        ),
        class_name="relative -mx-5 mt-3 max-h-96 overflow-auto px-2",
        tab_index=0,
        role="region",
        custom_attrs={"aria-label": "The chart's figures"},
    )


def _row(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            rx.cond(
                row["href"] != "",
                ReactRouterLink.create(
                    row["name"], to=row["href"], title=row["name"], class_name=f"block max-w-56 truncate {theme.LINK}"
                ),
                rx.el.span(row["name"], title=row["name"], class_name="block max-w-56 truncate font-medium"),
            )
        ),
        cell(row["requests"], class_name="tabular-nums"),
        cell(row["errors"], class_name="whitespace-nowrap tabular-nums"),
        cell(row["tokens_in"], class_name="tabular-nums"),
        cell(row["tokens_out"], class_name="tabular-nums"),
        cell(row["cost"], class_name="tabular-nums"),
        cell(row["latency"], class_name="whitespace-nowrap tabular-nums"),
        cell(
            rx.cond(
                row["log_href"] != "",
                ReactRouterLink.create(
                    "Requests",
                    rx.el.span(" of ", row["name"], class_name="sr-only"),
                    to=row["log_href"],
                    class_name=theme.LINK,
                ),
                rx.el.span("", custom_attrs={"aria-hidden": "true"}),
            )
        ),
    )
