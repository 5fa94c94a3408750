"""Command line: fit a table, report on it, plan a budget."""

import sys

from skmmm._cli.console import Console, complain, let_go_of_stdout
from skmmm._cli.parser import parse
from skmmm._cli.paths import check_paths, no_empty_folders
from skmmm._cli.values import UsageError
from skmmm._cli.versions import versions_text

# What data, files and arithmetic can raise; anything else is a fault of the package.
_ERRORS = (
    ValueError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    OSError,
    ImportError,
)


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str, default=None
        None: the arguments of the process.

    Returns
    -------
    code : int
        0; 1 if there is no plan, or the data cannot be used; 2 if the arguments cannot;
        130 after Ctrl-C.
    """
    try:
        return _run(argv)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        return 0
    except UsageError as error:
        complain(f"error: {error}")
        return 2
    except _ERRORS as error:
        complain(f"error: {str(error) or type(error).__name__}")
        return 1
    except KeyboardInterrupt:
        complain("stopped")
        return 130
    finally:
        let_go_of_stdout()


def _run(argv):
    args = parse(argv)
    if args.command == "version":
        Console(quiet=False).say(versions_text())
        return 0
    check_paths(args)
    console = Console(args.quiet)
    with console.warnings_in_lines():
        # torch and pandas take seconds to import: not before the arguments are right.
        from skmmm._cli.commands import COMMANDS

        with no_empty_folders(args):
            return COMMANDS[args.command](args, console) or 0


if __name__ == "__main__":
    sys.exit(main())
