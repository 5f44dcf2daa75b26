"""One exception for everything a user can put right, and the one place where it becomes a line on stderr."""

import functools
import os
import sys
from collections.abc import Callable


class SlipstreamError(Exception):
    """Something the user can fix. The message is one line: what was wrong, where, and what to do."""


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


def fail(message: str) -> None:
    """Print one line on stderr and exit with status 2."""
    print("error: " + " ".join(message.split()), file=sys.stderr)
    raise SystemExit(2)
