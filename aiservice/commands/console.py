"""How commands talk: data on standard output, messages on standard error, secrets only from standard input.

Exit status: 0 done, 1 refused (with the reason), 2 called wrongly.
"""

import getpass
import json
import os
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from types import EllipsisType
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from aiservice.errors import BrokerError
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.rights import known, named, require
from aiservice.settings import Settings, SettingsError, load_settings

T = TypeVar("T")
Row = Mapping[str, Any]

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
AllowIp = Annotated[
    list[str] | None,
    typer.Option("--allow-ip", help="Only from this address or network (CIDR); may be repeated; 'any' for all."),
]
CutStreams = Annotated[bool, typer.Option("--cut-streams", help="End answers under way as well, with an error.")]

REFUSED = 1
USAGE = 2
_MAX_SECRET_BYTES = 64 * 1024
_OPTIONAL_WAIT_SECONDS = 10.0


class Group(typer.Typer):
    """A Typer group whose every command names its action in the table of rights (services/rights_table.py)."""

    def command(self, name: str, *, action: str, **options: Any) -> Callable[[Any], Any]:  # type: ignore[override]
        """Registers a command as how the machine's operator does `action`; what it calls asks the table again."""
        register = super().command(name, **options)
        known(action)

        def add(function: Any) -> Any:
            @wraps(function)
            def allowed(*args: Any, **kwargs: Any) -> Any:
                try:
                    require(OPERATOR, action)
                except BrokerError as error:
                    refuse(error, as_json=bool(kwargs.get("as_json")))
                return function(*args, **kwargs)

            named(allowed, action)
            register(allowed)
            return function

        return add


def group(help_text: str) -> Group:
    """A group with our habits: plain text, no completion to install, no tracebacks that print values."""
    return Group(
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def examples(*lines: str) -> str:
    """An epilog with one example a line, kept as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  python -m aiservice {line}" for line in lines)


def settings_or_exit(*, as_json: bool) -> Settings:
    """The settings, or the end with status 1 and what is wrong with them."""
    try:
        return load_settings()
    except SettingsError as error:
        fail(str(error), code="invalid_settings", as_json=as_json)


def refuse(error: BrokerError, *, as_json: bool) -> NoReturn:
    """Ends with status 1: words on standard error, with `--json` the error object on standard output."""
    if as_json:
        body = error.body("")
        body["error"]["request_id"] = None
        _print_json(body)
    say(f"Error: {error.message}")
    raise typer.Exit(REFUSED)


def fail(message: str, *, code: str, as_json: bool) -> NoReturn:
    """As `refuse`, for failures that are no answer of the broker's."""
    if as_json:
        _print_json({"error": {"type": "command_error", "code": code, "message": message, "param": None}})
    say(f"Error: {message}")
    raise typer.Exit(REFUSED)


def end_unread() -> NoReturn:
    """Ends well where whoever read what is printed has enough of it (`| head`)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be flushed goes there
    raise typer.Exit


def usage_error(message: str) -> NoReturn:
    """Ends with status 2: the command was called wrongly."""
    say(f"Error: {message}")
    raise typer.Exit(USAGE)


def say(message: str) -> None:
    """A message for the person, on standard error."""
    typer.echo(message, err=True)


def show(answer: Row, lines: Sequence[str], *, as_json: bool) -> None:
    """One answer: as JSON, or as lines to read."""
    if as_json:
        _print_json(answer)
    else:
        for line in lines:
            typer.echo(line)


def show_table(rows: Sequence[Row], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """Many answers: as a JSON array with every field, or as a table of `columns`."""
    if as_json:
        _print_json(list(rows))
        return
    if not rows:
        say(empty)
        return
    cells = [[column.upper() for column in columns]]
    cells += [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    for line in cells:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        text = ", ".join(str(item) for item in value[:4]) + (f", … ({len(value)})" if len(value) > 4 else "")
        return text or "-"
    return str(value) or "-"


def _print_json(answer: object) -> None:
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))


def read_secret(what: str, *, is_new: bool = False) -> Secret:
    """A secret from standard input: typed without echo at a terminal (twice when `is_new`), else the whole input.

    An empty one ends the process with status 2, and so does more than one line that is no JSON document.
    """
    if sys.stdin.isatty():
        typed = getpass.getpass(f"{what}: ")
        if is_new and getpass.getpass(f"{what}, once more: ") != typed:
            usage_error("The two were not the same.")
        text = typed
    else:
        text = _piped()
    if not text:
        usage_error(f"{what} is read from standard input, and nothing came. Pipe it in, or run this at a terminal.")
    return Secret(text)


def read_optional_secret(what: str) -> Secret | None:
    """As `read_secret`, where nothing is an answer too. A pipe that stays silent for 10 seconds is nothing."""
    if sys.stdin.isatty():
        return Secret(typed) if (typed := getpass.getpass(f"{what} (Enter for none): ")) else None
    if not _has_input():
        say(f"{what}: nothing came on standard input within {_OPTIONAL_WAIT_SECONDS:.0f} seconds; going on without.")
        return None
    return Secret(text) if (text := _piped()) else None


def _has_input() -> bool:
    try:
        return bool(select.select([sys.stdin], [], [], _OPTIONAL_WAIT_SECONDS)[0])
    except (OSError, ValueError):
        return True  # not something that can be waited for, so reading does not block


def _piped() -> str:
    try:
        text = sys.stdin.read(_MAX_SECRET_BYTES).strip("\r\n")
    except UnicodeDecodeError:
        usage_error("Standard input is not text.")
    except OSError:
        return ""
    if "\n" in text or "\r" in text:
        return _on_one_line(text)
    return text


def _on_one_line(text: str) -> str:
    """A JSON document, such as the key of a Google service account, as one line; nothing else may be of several."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        usage_error("A secret is one line (or one JSON document), and more than one came on standard input.")
    return json.dumps(found, separators=(",", ":"))


def names_of(text: str | None) -> list[str] | None:
    """`a,b` as names; None stays None."""
    if text is None:
        return None
    names = [part.strip() for part in text.split(",")]
    if not all(names):
        usage_error(f"'{text[:60]}' has an empty name in it. Separate names by single commas.")
    return names


def any_of(names: list[str] | None) -> "list[str] | EllipsisType | None":
    """What a change of a restriction means: `...` leaves it (nothing was named), None lifts it (`any`)."""
    if not names:
        return ...
    return None if names == ["any"] else names


def one_of(argument: str | None, option: str | None, what: str) -> str:
    """The name that was given, whether as argument or as option; status 2 for none or two."""
    if (argument is None) == (option is None):
        usage_error(f"Name one {what}.")
    return argument if argument is not None else option or ""
