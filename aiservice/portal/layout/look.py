# ruff: noqa: E501 - class lists are read as lists
"""How the frame looks, which the browser draws itself (`shell.jsx`): class names by the names it asks for.

The colours and steps are those of `theme`.
"""

from aiservice.portal import theme

_KBD = "whitespace-nowrap rounded border border-slate-300 bg-slate-50 px-1.5 font-mono text-[11px] leading-5 text-slate-700 dark:border-slate-700 dark:bg-slate-950 dark:text-slate-300"
_SIDEBAR = "z-30 flex-col gap-3 border-slate-200 bg-white p-3 dark:border-slate-800 dark:bg-slate-900"
_DESK = "md:sticky md:top-0 md:flex md:h-screen md:w-60 md:shrink-0 md:border-r md:py-5"
_MODAL = f"{theme.SURFACE} text-slate-900 dark:text-slate-100 backdrop:bg-slate-950/60 shadow-xl"
FRAME = {
    "page": theme.PAGE,
    "skip": theme.SKIP,
    "topbar": "sticky top-0 z-10 flex items-center justify-between gap-2 border-b border-slate-200 bg-white px-3 py-2 dark:border-slate-800 dark:bg-slate-900 md:hidden",
    "columns": "flex",
    "sidebar": f"hidden {_SIDEBAR} {_DESK}",
    "drawerOpen": f"fixed inset-y-0 left-0 flex w-72 max-w-[calc(100vw-3rem)] overflow-y-auto border-r {_SIDEBAR}",
    "drawerHead": "flex items-center justify-between gap-2 px-2",
    "drawerClose": f"{theme.ICON_BUTTON} md:hidden",
    "backdrop": "fixed inset-0 z-20 bg-slate-950/60 md:hidden",
    "brand": f"flex items-center gap-2 rounded-lg {theme.FOCUS}",
    "product": "font-semibold tracking-tight",
    "icon": theme.ICON_BUTTON,
    "search": f"flex min-h-9 items-center gap-2 rounded-lg border border-slate-300 px-2.5 text-sm cursor-pointer hover:bg-slate-100 dark:border-slate-700 dark:hover:bg-slate-800 {theme.MUTED} {theme.FOCUS}",
    "kbd": _KBD,
    "nav": "flex min-h-0 flex-1 flex-col gap-2",
    "scroller": "-mx-1 flex min-h-0 flex-1 flex-col gap-3 overflow-y-auto p-1",
    "group": "flex flex-col",
    "groupHead": f"flex min-h-7 items-center justify-between rounded-lg px-2.5 text-xs font-semibold tracking-wide cursor-pointer hover:bg-slate-100 dark:hover:bg-slate-800 {theme.MUTED} {theme.FOCUS}",
    "chevron": "size-3.5 shrink-0",
    "chevronClosed": "size-3.5 shrink-0 -rotate-90",
    "list": "mt-0.5 flex flex-col gap-0.5",
    "own": "flex flex-col gap-0.5 border-t border-slate-200 pt-2 dark:border-slate-800",
    "entry": theme.NAV,
    "here": theme.NAV_HERE,
    "count": "ml-auto rounded-full bg-red-700 px-1.5 py-0.5 text-xs font-semibold text-white",
    "foot": "flex shrink-0 flex-col gap-1 border-t border-slate-200 pt-2 dark:border-slate-800",
    "scheme": theme.ICON_BUTTON,
    "schemeOn": f"{theme.ICON_BUTTON} bg-slate-200 dark:bg-slate-800",
    "person": "flex min-w-0 items-center justify-between gap-2",
    "email": f"min-w-0 truncate px-2 text-sm {theme.MUTED}",
    "signOut": {
        "submit": theme.QUIET,
        "error": f"{theme.ALERT['error']} mt-3",
        "warning": f"{theme.ALERT['warn']} mt-3",
        "label": theme.LABEL,
        "input": theme.INPUT,
    },
    "offline": "fixed inset-x-0 bottom-0 z-40 flex flex-wrap items-center justify-center gap-x-4 gap-y-1 border-t border-amber-300 bg-amber-100 px-3 py-2 text-sm text-amber-950 dark:border-amber-800 dark:bg-amber-950 dark:text-amber-100",
    "offlineButton": f"min-h-7 rounded-md border border-amber-700 px-2 font-medium cursor-pointer hover:bg-amber-200 dark:border-amber-500 dark:hover:bg-amber-900 {theme.FOCUS}",
    "palette": f"mx-auto mt-[12vh] mb-auto max-h-[70vh] w-[min(40rem,calc(100vw-1.5rem))] overflow-hidden {_MODAL}",
    "paletteField": "w-full border-b-2 border-slate-200 bg-transparent px-4 py-3 text-base outline-none placeholder:text-slate-500 focus-visible:border-indigo-600 dark:border-slate-800 dark:placeholder:text-slate-400 dark:focus-visible:border-indigo-400",
    "paletteNote": f"px-4 py-3 text-sm {theme.MUTED}",
    "options": "min-h-0 overflow-y-auto p-2",
    "optionGroup": f"px-2.5 pt-2 pb-1 text-xs font-semibold {theme.MUTED}",
    "option": "flex min-h-9 items-center gap-3 rounded-lg px-2.5 text-sm cursor-pointer",
    "optionOn": "flex min-h-9 items-center gap-3 rounded-lg bg-indigo-50 px-2.5 text-sm text-indigo-900 cursor-pointer dark:bg-indigo-950 dark:text-indigo-100",
    "optionHint": f"max-w-[45%] truncate text-xs {theme.MUTED}",
    "sheet": f"m-auto max-h-[85vh] w-[min(36rem,calc(100vw-1.5rem))] overflow-y-auto p-5 {_MODAL}",
    "title": theme.H2,
    "hint": f"mt-4 text-sm {theme.MUTED}",
    "shortcuts": "grid gap-x-8 text-sm sm:grid-cols-2",
    "shortcut": "flex min-h-9 items-center justify-between border-t border-slate-200 dark:border-slate-800",
    "choice": "flex items-center gap-2 text-sm font-medium",
    "box": f"size-4 accent-indigo-700 {theme.FOCUS}",
}
