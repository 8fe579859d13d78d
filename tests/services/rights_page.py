"""README › Rights, made from the table of rights: `python -m tests.services.rights_page` writes it there."""

from itertools import groupby
from pathlib import Path

from aiservice.services.rights_table import TABLE, Held, Reach

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- rights: made by python -m tests.services.rights_page -->", "<!-- /rights -->"
_WORDS = {
    Reach.NONE: "–",
    Reach.OWN: "own",
    Reach.TEAM: "own, team's",
    Reach.PLATFORM: "own, team's, platform's",
    Reach.ANYONE: "all",
}


def as_markdown() -> str:
    """The table, one row for what the same people may do with one kind of thing."""
    lines = ["| what | actions | developer | admin | command line |", "| --- | --- | --- | --- | --- |"]
    rows = [(action.partition("."), held) for action, (held, _) in TABLE.items()]
    for (kind, held), some in groupby(rows, key=lambda row: (row[0][0], row[1])):
        verbs = ", ".join(f"`{verb}`" for (_, _, verb), _ in some)
        lines.append(f"| `{kind}` | {verbs} | {' | '.join(_cells(held))} |")
    return "\n".join(lines)


def _cells(held: Held) -> list[str]:
    return [_WORDS[reach] for reach in held]


def in_readme() -> str:
    text = README.read_text(encoding="utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()


if __name__ == "__main__":
    whole = README.read_text(encoding="utf-8")
    before, after = whole[: whole.index(BEGIN) + len(BEGIN)], whole[whole.index(END) :]
    README.write_text(f"{before}\n{as_markdown()}\n{after}", encoding="utf-8")
