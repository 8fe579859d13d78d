"""The choice of colours: light, dark, or as the system says. Kept by the browser itself."""

from typing import Literal

import reflex as rx
from reflex.style import set_color_mode

from aiservice.portal import theme
from aiservice.portal.components.icons import icon

_CHOICES: tuple[tuple[Literal["light", "dark", "system"], str, str], ...] = (
    ("light", "sun", "Light"),
    ("dark", "moon", "Dark"),
    ("system", "screen", "As the system"),
)


def scheme_switch(*, has_words: bool = False) -> rx.Component:
    """Three buttons; without words they are icons with names for screen readers."""
    return rx.el.div(
        *[_choice(value, picture, words, has_words) for value, picture, words in _CHOICES],
        class_name="flex flex-wrap gap-2" if has_words else "flex shrink-0 gap-1",
        role="group",
        custom_attrs={"aria-label": "Colours of the page" if has_words else "Colour scheme"},
    )


def _choice(value: Literal["light", "dark", "system"], picture: str, words: str, has_words: bool) -> rx.Component:
    return rx.el.button(
        icon(picture),
        *([words] if has_words else []),
        type="button",
        on_click=set_color_mode(value),
        class_name=theme.SECONDARY if has_words else theme.ICON_BUTTON,
        custom_attrs={} if has_words else {"aria-label": f"Colours: {words}"},
    )
