"""What an admin states of a connection's models, where nobody knows it, or it is otherwise: `images=yes`."""

from aiservice.errors import Unprocessable
from aiservice.providers._capabilities import PARAMETERS
from aiservice.providers.capabilities import FLAGS, NUMBERS, Stated
from aiservice.services.connection_rules import is_model_name
from aiservice.services.names import shown, suggestion

MAX_STATED = 500
_MAX_TOKENS = 10**9
_FLAGS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_PARAMETERS = "parameters"
UNSAID = ("unknown", "")


def read_stated(text: str, model: str = "") -> tuple[str, str, bool | int | tuple[str, ...] | None]:
    """`images=yes`, `context_tokens=32768`, `parameters=seed,stop` or `images=unknown` (None: takes it back), of one
    model or, with "", of all.

    Raises:
        Unprocessable: it is none of these; the message names the nearest, or what it takes.
    """
    name, _, value = (part.strip().lower() for part in text.partition("="))
    if name not in {*FLAGS, *NUMBERS, _PARAMETERS}:
        raise _invalid(f"'{shown(name)}' is no capability.{suggestion(name, [*FLAGS, *NUMBERS, _PARAMETERS])}")
    if model and not is_model_name(model):
        raise Unprocessable(f"'{shown(model)}' is not a model's name.", code="invalid_model", param="model")
    if value in UNSAID:
        return model, name, None
    if name in FLAGS:
        if value not in _FLAGS:
            raise _invalid(f"'{name}' takes yes, no or unknown.")
        return model, name, _FLAGS[value]
    if name in NUMBERS:
        if not value.isdecimal() or not 0 < int(value) <= _MAX_TOKENS:
            raise _invalid(f"'{name}' takes a number of tokens, or unknown.")
        return model, name, int(value)
    names = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    for each in names:
        if each not in PARAMETERS:
            raise _invalid(f"'{shown(each)}' is not a parameter.{suggestion(each, PARAMETERS)}")
    return model, name, names


def changed(
    stated: tuple[Stated, ...], changes: list[tuple[str, str, bool | int | tuple[str, ...] | None]]
) -> tuple[Stated, ...]:
    """`stated` with `changes`, each of which replaces what was said of the same thing.

    Raises:
        Unprocessable: it would be too much.
    """
    kept = {(model, name): value for model, name, value in stated}
    for model, name, value in changes:
        if value is None:
            kept.pop((model, name), None)
        else:
            kept[model, name] = value
    if len(kept) > MAX_STATED:
        raise _invalid(f"At most {MAX_STATED} capabilities can be stated of a connection.")
    return tuple((model, name, value) for (model, name), value in kept.items())


def _invalid(message: str) -> Unprocessable:
    return Unprocessable(message, code="invalid_capability", param="capability")
