"""Python's side of `reorder.jsx`."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.icons import icon


def _from_to(start: rx.Var[int], end: rx.Var[int]) -> tuple[rx.Var[int], rx.Var[int]]:
    return (start, end)


class DragHandle(rx.Component):
    """The handle of one row of an ordered list: `on_move` is told from which place to which. With `has_focus` it takes
    the focus when it appears."""

    library = "$/utils/reorder"
    tag = "DragHandle"

    index: rx.Var[int]
    label: rx.Var[str]
    has_focus: rx.Var[bool]
    on_move: rx.EventHandler[_from_to]  # type: ignore[type-arg,valid-type]


def drag_handle(index: Any, label: Any, on_move: Any, *, has_focus: Any) -> rx.Component:
    return DragHandle.create(
        icon("grip"), index=index, label=label, on_move=on_move, has_focus=has_focus, class_name=theme.DRAG_HANDLE
    )
