"""One exception for everything a user can put right, and the one place where it becomes a line on stderr."""

import argparse
import functools
import os
import sys
from collections.abc import Callable
from typing import NoReturn

LONGEST = 1000  # characters of a message


class SlipstreamError(Exception):
    """Something the user can fix. The message is one line: what was wrong, where, and what to do."""


class Parser(argparse.ArgumentParser):
    """argparse's parser, but what is wrong with a flag is one line: its 40 lines of usage would hide it."""

    def parse_args(self, args=None, namespace=None):
        found = super().parse_args(args, namespace)
        for action in self._actions:  # argparse takes "--model --" for a model named []
            if action.nargs is None and isinstance(getattr(found, action.dest, None), list):
                self.error(f"argument {'/'.join(action.option_strings)}: expected one argument")
        return found

    def error(self, message: str) -> NoReturn:
        fail(f"{message}; `{self.prog} --help` tells the flags")


def command(main: Callable) -> Callable:
    """Wrap a stage's `main`: a SlipstreamError or OSError becomes one line on stderr and exit status 2."""

    @functools.wraps(main)
    def wrapped(argv: list[str] | None = None) -> None:
        try:
            main(argv)
            sys.stdout.flush()  # a broken pipe should show here, not while Python shuts down
        except BrokenPipeError:  # `slipstream ... | head` closed our stdout: nothing is wrong
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt:  # where nobody was at work on something that wants saving
            print("\nstopped", file=sys.stderr)
            raise SystemExit(130) from None
        except SlipstreamError as error:
            fail(str(error))
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            fail(f"{error.strerror or error}{where}")

    return wrapped


def fail(message: str) -> NoReturn:
    """Print one line on stderr and exit with status 2."""
    line = " ".join(message.split())
    if len(line) > LONGEST:  # somebody's megabyte without a line break
        line = f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"
    print(f"error: {line}".encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
    raise SystemExit(2)
