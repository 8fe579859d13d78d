"""`python -m aiservice`: the command line; for `serve` a process that watches workers, and imports nothing else."""

import sys


def _serve() -> int:
    from aiservice.commands.supervisor import supervise  # noqa: PLC0415 - everything else stays out of this process

    return supervise(_prepare, _work)


def _prepare() -> None:
    from aiservice.commands.line import run  # noqa: PLC0415 - in the first worker, after the fork

    run()


def _work(number: int, words: str) -> None:
    from aiservice.commands.worker import work  # noqa: PLC0415 - in any other worker, after the fork

    work(number, words)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        sys.exit(_serve())
    _prepare()
