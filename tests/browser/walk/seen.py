"""What a leg's walk has seen, area by area: by whom which events were fired, which screens there were, how long it
took. A leg may be walked in pieces: what was seen at the same commit counts together."""

import json
from pathlib import Path
from typing import Any

from tests.browser.walk.walker import Walker
from tests.harness.evidence import commit
from tests.harness.process import ROOT

_FOLDER = ROOT / ".pytest_cache" / "walks"


class Seen:
    """By area and person what they have seen, once the area was walked to its end."""

    def __init__(self, leg: str, commit_now: str) -> None:
        self._file, self._commit = _FOLDER / f"{leg}.json", commit_now
        self._pieces: dict[str, Any] = {}

    @classmethod
    def of(cls, leg: str) -> "Seen":
        """Goes on where an earlier run of this very tree has left off; a tree with changes begins anew."""
        seen = cls(leg, commit())
        if seen._file.exists() and not seen._commit.endswith("-dirty"):
            kept = json.loads(seen._file.read_text())
            seen._pieces = kept["pieces"] if kept["commit"] == seen._commit else {}
        return seen

    def note(self, area: str, walker: Walker, seconds: float) -> None:
        """After a person has walked an area to its end."""
        self._pieces[f"{area}: {walker.email}"] = {
            "area": area,
            "is_admin": walker.is_admin,
            "seconds": round(seconds, 1),
            "fired": walker.fired,
            "screens": sorted(walker.screens),
            "routes": sorted(walker.asked),
            "restored": walker.restored_views,
            "copies": walker.copies,
            "figures": walker.figures,
        }
        Path.mkdir(_FOLDER, parents=True, exist_ok=True)
        self._file.write_text(json.dumps({"commit": self._commit, "pieces": self._pieces}))

    @property
    def areas(self) -> set[str]:
        return {piece["area"] for piece in self._pieces.values()}

    def screens(self, *, is_admin: bool | None = None) -> set[str]:
        """Paths that were on the screen, of anybody or of the one or the other."""
        return self._all("screens", is_admin)

    @property
    def routes(self) -> set[str]:
        """Paths below `/auth/` that the browsers asked."""
        return self._all("routes")

    def fired(self, *, is_admin: bool) -> set[str]:
        """Full names of the handlers that admins, or that developers have fired."""
        return {name for piece in self._pieces.values() if piece["is_admin"] is is_admin for name in piece["fired"]}

    def table(self) -> dict[str, Any]:
        """The figures of the whole leg; what was measured more than once is the largest."""
        pieces = self._pieces.values()
        figures: dict[str, float] = {}
        for piece in pieces:
            for name, figure in piece["figures"].items():
                figures[name] = max(figure, figures.get(name, 0))
        seconds = {piece["area"]: piece["seconds"] for piece in pieces}
        return {
            "screens": len(self.screens()),
            "handlers": len(self.fired(is_admin=True) | self.fired(is_admin=False)),
            "events": sum(sum(piece["fired"].values()) for piece in pieces),
            "routes": len(self.routes),
            "views_restored_in_a_new_tab": sum(piece["restored"] for piece in pieces),
            "copies_pasted": sum(piece["copies"] for piece in pieces),
            "seconds": round(sum(seconds.values())),
            "seconds_by_area": seconds,
            **figures,
        }

    def _all(self, what: str, is_admin: bool | None = None) -> set[str]:
        pieces = self._pieces.values()
        return {one for piece in pieces if is_admin in (None, piece["is_admin"]) for one in piece[what]}
