"""The pages of the documentation: what each is called, what it says in a sentence, and its Markdown.

Guides are files of `content/`; their first line is the title, their first paragraph the sentence. Error pages are made
of the sections of `content/errors/*.md`, one a code.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CONTENT = Path(__file__).parent / "content"
# In the order of the navigation.
GUIDES = (
    "start", "first-call", "keys", "preferences", "limits", "budgets", "streaming", "idempotency", "errors",
    "coding-agents", "management", "self-hosting", "security", "design",
)  # fmt: skip
_FIELDS = ("status", "retry", "why", "next")


@dataclass(slots=True, frozen=True)
class Page:
    """One page: `path` is its address below the site's root, without an ending."""

    path: str
    title: str
    summary: str
    markdown: str


@dataclass(slots=True, frozen=True)
class ErrorEntry:
    """What is said of one code: what happened, why, what to do next, whether trying again helps."""

    code: str
    family: str
    what: str
    status: str
    retry: str
    why: str
    next: str

    def page(self) -> Page:
        text = (
            f"# {self.code}\n\n{self.what}\n\n- Status: {self.status}\n- Does trying again help? {self.retry}\n"
            f"- Among: {self.family}\n\n## Why\n\n{self.why}\n\n## What to do\n\n{self.next}\n\n"
            "All codes: [Errors](/docs/errors).\n"
        )
        return Page(f"/docs/errors/{self.code}", self.code, self.what, text)


@cache
def guides() -> tuple[Page, ...]:
    """The guides, in order; the one about errors ends with the table of all codes."""
    return tuple(_guide(name) for name in GUIDES)


@cache
def errors() -> dict[str, ErrorEntry]:
    """Every code, by family and in the order of its file."""
    found: dict[str, ErrorEntry] = {}
    for file in sorted((_CONTENT / "errors").glob("*.md")):
        head, *sections = re.split(r"^## ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        family = _title(head)
        found |= {entry.code: entry for entry in (_entry(section, family) for section in sections)}
    return found


@cache
def pages() -> dict[str, Page]:
    """Every page by its path."""
    return {page.path: page for page in (*guides(), *(entry.page() for entry in errors().values()))}


def search(text: str, most: int = 20) -> list[Page]:
    """The pages in which every word occurs; those whose title or sentence has them come first."""
    words = text.lower().split()[:10]
    if not words:
        return []
    ranked = [(_rank(page, words), page) for page in pages().values()]
    return [page for rank, page in sorted(ranked, key=lambda pair: -pair[0]) if rank > 0][:most]


def _rank(page: Page, words: list[str]) -> int:
    rank = 0
    for word in words:
        if word in page.title.lower():
            rank += 10
        elif word in page.summary.lower():
            rank += 3
        elif word in page.markdown.lower():
            rank += 1
        else:
            return 0
    return rank


def _guide(name: str) -> Page:
    text = (_CONTENT / f"{name}.md").read_text(encoding="utf-8")
    summary = text.split("\n\n", 2)[1].replace("\n", " ")
    if name == "errors":
        text += _table_of_codes()
    return Page(f"/docs/{name}", _title(text), summary, text)


def _table_of_codes() -> str:
    lines: list[str] = []
    family = ""
    for entry in errors().values():
        if entry.family != family:
            family = entry.family
            lines += ["", f"## {family}", "", "| code | status | what happened |", "| --- | --- | --- |"]
        lines.append(f"| [`{entry.code}`](/docs/errors/{entry.code}) | {entry.status} | {entry.what} |")
    return "\n".join(lines) + "\n"


def _title(text: str) -> str:
    return text.split("\n", 1)[0].removeprefix("# ").strip()


def _entry(section: str, family: str) -> ErrorEntry:
    code, *lines = section.strip().split("\n")
    told = dict(line.split(": ", 1) for line in lines if line.partition(":")[0] in _FIELDS)
    what = " ".join(line for line in lines if line.partition(":")[0] not in _FIELDS)
    return ErrorEntry(code.strip(), family, what, *(told[name] for name in _FIELDS))
