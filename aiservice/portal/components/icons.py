"""Icons as inline SVG paths (24×24, stroke), so that no icon font or library is loaded."""

import reflex as rx

_PATHS = {
    "shield": "M12 3 5 6v5c0 5 3 8 7 10 4-2 7-5 7-10V6l-7-3Zm0 5v4m0 3h.01",
    "bolt": "M13 2 4 14h6l-1 8 9-12h-6l1-8Z",
    "gauge": "M4 19a8 8 0 1 1 16 0M12 19l4-6",
    "key": "M15 7a4 4 0 1 1-3.5 6L9 15.5V18H6v3H3v-3.5l6-6A4 4 0 0 1 15 7Z",
    "bell": "M6 16V11a6 6 0 1 1 12 0v5l2 2H4l2-2Zm4 5h4",
    "plug": "M9 3v5m6-5v5M6 8h12v3a6 6 0 0 1-12 0V8Zm6 9v4",
    "play": "M7 4.5v15l12-7.5-12-7.5Z",
    "shadow": "M9.5 4.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M17 9.5a5.5 5.5 0 1 1-7.5 8.5",
    "coin": "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16ZM14.5 9.5c0-3-5-3-5 0s5 2 5 5-5 3-5 0M12 5.5v2m0 9v2",
    "list": "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
    "order": "M4 6h9M4 12h6M4 18h3M17 5v14m-3-3 3 3 3-3",
    "chart": "M4 20V4M4 20h16M8 16v-4m4 4V8m4 8v-6",
    "people": "M16 20v-1a4 4 0 0 0-8 0v1M12 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Z",
    "team": "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6Zm7 0a3 3 0 1 0 0-6M3 20a6 6 0 0 1 12 0m2-6a6 6 0 0 1 4 6",
    "bars": "M4 6h16v3H4zM4 15h10v3H4z",
    "stack": "m12 3 9 5-9 5-9-5 9-5Zm-9 9 9 5 9-5M3 16l9 5 9-5",
    "person": "M12 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4 21a8 8 0 0 1 16 0",
    "grip": "M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01",
    "up": "m6 15 6-6 6 6",
    "down": "m6 9 6 6 6-6",
    "lock": "M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3M12 15v2",
    "close": "M6 6l12 12M18 6 6 18",
    "sun": "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8ZM12 2v2m0 16v2M2 12h2m16 0h2M5 5l2 2m10 10 2 2M19 5l-2 2M7 17l-2 2",
    "moon": "M20 14.5A8 8 0 1 1 9.5 4a6.5 6.5 0 0 0 10.5 10.5Z",
    "screen": "M4 5h16v11H4zM9 20h6m-3-4v4",
    "menu": "M4 7h16M4 12h16M4 17h16",
    "out": "M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9",
    "search": "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14Zm5 12 4 4",
    "book": "M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3V4Zm0 13a3 3 0 0 1 3-3h11",
    "wifi": "M4 9a12 12 0 0 1 16 0M7 13a7.5 7.5 0 0 1 10 0m-5 5h.01M4 4l16 16",
    "again": "M20 11a8 8 0 1 0-.6 4M20 5v6h-6",
}


def paths_of(*names: str) -> dict[str, str]:
    """The paths of these icons, for what draws them in the browser itself."""
    return {name: _PATHS[name] for name in names}


def icon(name: str, class_name: str = "size-4 shrink-0") -> rx.Component:
    """The icon `name`, hidden from screen readers: what it stands beside or in must be named."""
    return rx.el.svg(
        rx.el.path(d=_PATHS[name]),
        view_box="0 0 24 24",
        fill="none",
        stroke="currentColor",
        stroke_width="2",
        stroke_linecap="round",
        stroke_linejoin="round",
        custom_attrs={"aria-hidden": "true"},
        class_name=class_name,
    )
