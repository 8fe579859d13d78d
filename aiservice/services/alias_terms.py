"""Names for models: what one may be called, what it may lead to, and where that is. Rules, and no I/O.

A target is kept as "place:model" ("openai:gpt-5-mini"; a place is a connection or a kind), "place" (its own model),
":model" (wherever it is) or "=name" (another alias). People write the first as "openai/gpt-5-mini".
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from aiservice.errors import InvalidRequest, NotFound, Unprocessable
from aiservice.services.connection_rules import is_model_name
from aiservice.services.names import shown, suggestion

MAX_TARGETS = 10
MAX_DEPTH = 20
"""Aliases on the way from one to a place: each way is walked for every caller."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}", re.ASCII)
_RESERVED = frozenset({"auto", "sandbox"})

Targets = Sequence[str]


@dataclass(slots=True, frozen=True)
class Models:
    """What there is to lead to: the models of each place (a connection or a kind), and the places that say nothing of
    theirs, where any may be."""

    of_place: Mapping[str, Collection[str]]
    open_places: frozenset[str] = frozenset()

    @property
    def everything(self) -> set[str]:
        return {model for models in self.of_place.values() for model in models}


@dataclass(slots=True, frozen=True)
class Route:
    """Where an alias leads: an order in the vocabulary of preferences, in which ":model" is wherever it is."""

    name: str
    order: tuple[str, ...]

    def within(self, order: tuple[str, ...] | None) -> tuple[str, ...]:
        """This route's places in the order that a request asks for itself, those it does not name left out.

        Raises:
            InvalidRequest: it names none of them.
        """
        if order is None:
            return self.order
        found = [mine for entry in order for mine in self.order if _is_of(mine, entry)]
        if not found:
            raise InvalidRequest(
                f"The request asks for the model '{self.name}', which leads to {', '.join(words_of(self.order))}, and "
                "its preferences name none of these places. Leave out 'order', or name one of them.",
                code="alias_elsewhere",
                param="preferences.order",
            )
        return tuple(dict.fromkeys(found))


def _is_of(mine: str, entry: str) -> bool:
    place, _, model = entry.partition(":")
    my_place, _, my_model = mine.partition(":")
    return my_place == place and model in ("", my_model)


def clean_alias_name(name: str, models: Models, *, may_shadow: bool) -> str:
    """`name`, if it can be given as a model.

    Raises:
        Unprocessable: not in that form, reserved, or (`shadows_model`) already the name of a model.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED or name in models.of_place:
        raise Unprocessable(
            f"'{shown(name)}' cannot name a model here. A name has 1 to 100 letters, digits, dots, colons, hyphens and "
            "underscores, and is neither 'auto' nor a connection's or a kind's.",
            code="invalid_name",
            param="name",
        )
    if name in models.everything and not may_shadow:
        raise Unprocessable(
            f"'{name}' is a model's own name. Whoever asks for it would get something else. Choose another name, or "
            "say that this is meant (on the command line: --shadow).",
            code="shadows_model",
            param="name",
        )
    return name


def clean_targets(given: Targets, models: Models, aliases: Collection[str]) -> list[str]:
    """The targets as they are kept.

    Raises:
        Unprocessable: none, more than 10, one twice, or one that is no model, place or alias (with the nearest).
    """
    if not 1 <= len(given) <= MAX_TARGETS:
        raise _invalid(f"An alias leads to 1 to {MAX_TARGETS} targets, and {len(given)} were named.")
    targets = [_target(text, models, aliases) for text in given]
    for place, target in enumerate(targets):
        if target in targets[:place]:
            raise _invalid(f"'{shown(given[place])}' is there twice.")
    return targets


def _target(text: str, models: Models, aliases: Collection[str]) -> str:
    if text in aliases:
        return f"={text}"
    if text in models.of_place:
        return text
    if text in models.everything:
        return f":{text}"
    place, separator, model = _split(text)
    if separator and place in models.of_place:
        if not is_model_name(model):
            raise _invalid(f"'{shown(text)}' has no valid model after '{place}{separator}'.")
        if model not in models.of_place[place] and place not in models.open_places:
            raise _invalid(f"'{place}' has no model '{shown(model)}'.{suggestion(model, models.of_place[place])}")
        return f"{place}:{model}"
    known = {*models.everything, *aliases, *(f"{p}/{m}" for p, names in models.of_place.items() for m in names)}
    near = suggestion(text, known) if known else " Add a provider connection first."
    raise _invalid(f"'{shown(text)}' is no model, connection or alias here.{near}")


def _split(text: str) -> tuple[str, str, str]:
    at = min((place for place in (text.find("/"), text.find(":")) if place > 0), default=-1)
    return (text, "", "") if at < 0 else (text[:at], text[at], text[at + 1 :])


def expand(name: str, look_up: Callable[[str], Targets | None]) -> tuple[str, ...]:
    """The targets of `name` with those of other aliases in their place, each once; one that is gone is left out.

    Raises:
        InvalidRequest: it leads back to itself (`alias_loop`), or over too many others (`alias_too_deep`).
        NotFound: nothing is left of where it leads.
    """
    order: dict[str, None] = {}
    _expand(name, look_up, [], (order, set()))
    if not order:
        raise NotFound(
            f"The alias '{shown(name)}' leads nowhere any more. Whoever made it can set it anew.",
            code="model_not_found",
            param="model",
        )
    return tuple(order)


def _expand(
    name: str, look_up: Callable[[str], Targets | None], way: list[str], found: tuple[dict[str, None], set[str]]
) -> None:
    if name in way:
        circle = " → ".join((*way[way.index(name) :], name))
        raise InvalidRequest(
            f"The alias '{shown(way[0])}' leads in a circle: {circle}. Point one of them elsewhere.",
            code="alias_loop",
            param="model",
        )
    if len(way) >= MAX_DEPTH:
        raise InvalidRequest(
            f"The alias '{shown(way[0])}' leads over more than {MAX_DEPTH} others. Point it nearer to where it leads.",
            code="alias_too_deep",
            param="model",
        )
    order, done = found
    if name in done:  # all of it stands there already
        return
    way.append(name)
    for target in look_up(name) or ():
        if target.startswith("="):
            _expand(target[1:], look_up, way, found)
        else:
            order.setdefault(target)
    way.pop()
    done.add(name)


def words_of(targets: Targets) -> list[str]:
    """Targets as people write them."""
    return [target.lstrip("=:") if target[0] in "=:" else target.replace(":", "/", 1) for target in targets]


def _invalid(message: str) -> Unprocessable:
    return Unprocessable(message, code="invalid_target", param="to")
