"""Commands of the command line, one after another in one process: starting Python is most of what a single one takes.

Reads `[arguments, standard input]` as a line of JSON, and answers `[exit status, output, errors]` as another.
"""

import json
import sys

from typer.testing import CliRunner

from aiservice.commands.line import whole


def main() -> None:
    app = whole()
    commands, answers = sys.stdin, sys.stdout
    for line in commands:
        arguments, text = json.loads(line)
        done = CliRunner().invoke(app, arguments, input=text)
        answers.write(json.dumps([done.exit_code, done.stdout, done.stderr]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
