# ruff: noqa: E501 - class lists are read as lists
"""How the portal looks: the class names that every component is made of, and the only place that names a colour.

Tailwind v4 utilities; `dark:` follows the class that Reflex puts on the document. Contrast of text on its ground is at
least 4.5:1 in both schemes.
"""

FOCUS = "focus-visible:outline-2 focus-visible:outline-offset-2 focus-visible:outline-indigo-600 dark:focus-visible:outline-indigo-400"

PAGE = "min-h-screen bg-slate-50 text-slate-900 dark:bg-slate-950 dark:text-slate-100 antialiased"
CONTENT = "mx-auto w-full max-w-7xl px-4 py-6 sm:px-8 min-[2200px]:max-w-[100rem]"
# Two tiles stand beside each other on a phone: seven digits must fit one line there.
TILE_VALUE = "mt-1 text-lg font-semibold tabular-nums tracking-tight wrap-anywhere sm:text-2xl"
SURFACE = "rounded-xl border border-slate-200 bg-white dark:border-slate-800 dark:bg-slate-900"
CARD = f"{SURFACE} p-5"
MUTED = "text-slate-600 dark:text-slate-400"
FAINT = "text-slate-500 dark:text-slate-400"
LINK = f"rounded text-indigo-700 underline underline-offset-2 hover:text-indigo-900 dark:text-indigo-300 dark:hover:text-indigo-200 {FOCUS}"

_NAV = f"flex min-h-9 md:min-h-8 items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-sm font-medium {FOCUS}"
NAV = f"{_NAV} {MUTED} hover:bg-slate-100 dark:hover:bg-slate-800"
NAV_HERE = f"{_NAV} bg-indigo-50 text-indigo-900 dark:bg-indigo-950 dark:text-indigo-100"
SKIP = f"sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2 focus:rounded-lg focus:bg-white focus:px-3 focus:py-2 focus:shadow-lg dark:focus:bg-slate-900 {LINK}"
# What the focus comes to is not scrolled under the bar that stays at the top of a phone (WCAG 2.4.11).
BELOW_THE_BAR = "max-md:**:scroll-mt-16"

H1 = "text-xl font-semibold tracking-tight"
H2 = "text-base font-semibold"
LABEL = "block text-sm font-medium"
HINT = f"mt-1 text-sm {MUTED}"

_BUTTON = (
    "inline-flex min-h-9 items-center justify-center gap-2 rounded-lg px-3.5 py-1.5 text-sm font-medium whitespace-nowrap "
    f"cursor-pointer disabled:cursor-not-allowed disabled:opacity-60 {FOCUS}"
)
PRIMARY = f"{_BUTTON} bg-indigo-700 text-white hover:bg-indigo-800 dark:bg-indigo-600 dark:hover:bg-indigo-700"
SECONDARY = (
    f"{_BUTTON} border border-slate-300 bg-white text-slate-800 hover:bg-slate-100 "
    "dark:border-slate-700 dark:bg-slate-900 dark:text-slate-100 dark:hover:bg-slate-800"
)
DANGER = f"{_BUTTON} bg-red-700 text-white hover:bg-red-800"
QUIET = f"{_BUTTON} text-slate-700 hover:bg-slate-100 dark:text-slate-300 dark:hover:bg-slate-800"
ICON_BUTTON = (
    "inline-flex size-9 items-center justify-center rounded-lg cursor-pointer text-slate-700 hover:bg-slate-200 "
    f"dark:text-slate-300 dark:hover:bg-slate-800 disabled:opacity-40 disabled:cursor-not-allowed {FOCUS}"
)
CHOICE = f"min-h-8 rounded-lg px-2.5 py-1 text-sm font-medium whitespace-nowrap cursor-pointer {FOCUS}"
CHOICE_ON = "bg-indigo-50 text-indigo-900 dark:bg-indigo-950 dark:text-indigo-100"
CHOICE_OFF = f"{MUTED} hover:bg-slate-100 dark:hover:bg-slate-800"
INPUT = (
    "block w-full min-h-9 rounded-lg border border-slate-400 bg-white px-3 py-1.5 text-sm text-slate-900 "
    "placeholder:text-slate-500 dark:border-slate-600 dark:bg-slate-950 dark:text-slate-100 "
    f"dark:placeholder:text-slate-400 {FOCUS}"
)

# On a phone a row is a card: its cells stand below each other, each with its column's name before it.
TABLE = "w-full text-left text-sm max-sm:block"
THEAD = "max-sm:sr-only"
TBODY = "max-sm:block"
TH = f"px-3 py-2 text-xs font-medium {MUTED}"
TD = "px-3 py-2.5 align-middle max-sm:py-1"
TD_LABELLED = (
    f"{TD} max-sm:grid max-sm:empty:hidden max-sm:grid-cols-[5.5rem_minmax(0,1fr)] max-sm:items-baseline max-sm:justify-items-start "
    "max-sm:gap-x-3 max-sm:*:col-start-2 max-sm:before:content-[attr(data-label)] before:font-sans before:text-xs "
    "before:font-medium before:text-slate-600 dark:before:text-slate-400"
)
TD_ACTIONS = f"{TD} max-sm:block max-sm:empty:hidden"
RULE = "bg-slate-200 dark:bg-slate-800"
LINE = "border-t border-slate-200 dark:border-slate-800"
ROW = f"{LINE} max-sm:block max-sm:py-3"

_BADGE = "inline-flex items-center gap-1 rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap"
BADGES = {
    "good": f"{_BADGE} bg-emerald-100 text-emerald-900 dark:bg-emerald-900/50 dark:text-emerald-200",
    "warn": f"{_BADGE} bg-amber-100 text-amber-900 dark:bg-amber-900/50 dark:text-amber-200",
    "bad": f"{_BADGE} bg-red-100 text-red-900 dark:bg-red-900/50 dark:text-red-200",
    "plain": f"{_BADGE} bg-slate-200 text-slate-800 dark:bg-slate-700 dark:text-slate-100",
}
# Ten seconds of a provider's answers: height says how it went, too, for who does not tell the colours apart.
HEALTH_BARS = {
    "none": "h-1 flex-1 rounded-sm bg-slate-300 dark:bg-slate-700",
    "good": "h-full flex-1 rounded-sm bg-emerald-600 dark:bg-emerald-400",
    "some": "h-3 flex-1 rounded-sm bg-amber-600 dark:bg-amber-400",
    "bad": "h-2 flex-1 rounded-sm bg-red-600 dark:bg-red-400",
}
ALERT = {
    "error": "rounded-lg border border-red-300 bg-red-50 p-3 text-sm text-red-900 dark:border-red-800 dark:bg-red-950 dark:text-red-100",
    "done": "rounded-lg border border-emerald-300 bg-emerald-50 p-3 text-sm text-emerald-900 dark:border-emerald-800 dark:bg-emerald-950 dark:text-emerald-100",
    "warn": "rounded-lg border border-amber-300 bg-amber-50 p-3 text-sm text-amber-950 dark:border-amber-800 dark:bg-amber-950 dark:text-amber-100",
    "info": "rounded-lg border border-sky-300 bg-sky-50 p-3 text-sm text-sky-950 dark:border-sky-800 dark:bg-sky-950 dark:text-sky-100",
}
CODE = "rounded-lg bg-slate-900 p-4 font-mono text-[13px] leading-relaxed text-slate-100 dark:bg-black overflow-x-auto whitespace-pre"
SHELL = "block rounded-lg bg-slate-100 p-2.5 font-mono text-xs break-words dark:bg-slate-950"
# What is on its way is not seen for its first 300 ms: most of it is there by then, and a flash is worse than a wait.
MOTION = {
    "keyframes": {
        "breathe": {"50%": {"opacity": "0.5"}},
        "appear": {"from": {"visibility": "hidden"}, "to": {"visibility": "visible"}},
    },
    "animation": {
        "waiting": "breathe 2s cubic-bezier(0.4, 0, 0.6, 1) infinite, appear 1ms 300ms both",
        "late": "appear 1ms 300ms both",
    },
}
SKELETON = "animate-waiting motion-reduce:animate-late rounded-lg bg-slate-200 dark:bg-slate-800"
ID_TEXT = f"font-mono text-xs {MUTED}"
ID = f"block max-w-28 truncate {ID_TEXT}"
# What is longer than its place: cut on a desk, where its title tells the rest; whole on a phone, where nothing hovers.
CUT = "max-sm:wrap-anywhere sm:truncate"
BAR = "h-2 w-full overflow-hidden rounded-full bg-slate-200 dark:bg-slate-700"
BAR_FILLS = {
    "plain": "h-full rounded-full bg-indigo-600 dark:bg-indigo-400",
    "good": "h-full rounded-full bg-emerald-600 dark:bg-emerald-500",
    "warn": "h-full rounded-full bg-amber-500 dark:bg-amber-400",
    "bad": "h-full rounded-full bg-red-600 dark:bg-red-500",
}
# Bars over the request log: what failed is striped, so that it is told apart without its colour.
LOG_BARS = {
    "good": "bg-indigo-600 dark:bg-indigo-400",
    "bad": (
        "bg-red-200 dark:bg-red-950 bg-[repeating-linear-gradient(45deg,var(--color-red-700)_0_2px,transparent_2px_5px)] "
        "dark:bg-[repeating-linear-gradient(45deg,var(--color-red-400)_0_2px,transparent_2px_5px)]"
    ),
}
BAR_CHOSEN = "bg-slate-200 dark:bg-slate-700"
SHEET = (
    "border-l border-slate-200 bg-slate-50 text-slate-900 dark:border-slate-800 dark:bg-slate-950 dark:text-slate-100"
)
SHEET_HEAD = "border-b border-slate-200 bg-slate-50 dark:border-slate-800 dark:bg-slate-950"
SPARK = {
    "requests": "fill-indigo-600 dark:fill-indigo-400",
    "errors": "fill-red-700 stroke-white dark:fill-red-400 dark:stroke-slate-900 [stroke-width:0.6]",
}
FOLDED = f"cursor-pointer rounded py-1 text-sm font-medium {FOCUS}"
DRAG_HANDLE = f"{ICON_BUTTON} w-7 cursor-grab touch-none aria-pressed:cursor-grabbing"
ROW_GROUND = "bg-white dark:bg-slate-900"
BASELINE = "border-b border-slate-300 dark:border-slate-700"
