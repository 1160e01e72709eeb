"""The command line: parses, calls `bench.api`, prints. Exits with 0 done, 1 a step failed, 2 bad input, 130 stopped."""

import signal
import sys
from collections.abc import Sequence

DONE, STEP_FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point `locbench`. A request to end, as schedulers send it, counts as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run_app(list(sys.argv[1:] if arguments is None else arguments)))


def run_app(arguments: list[str]) -> int:
    """Runs one command and returns its exit code; a user's mistake is one line on stderr."""
    import typer

    from bench.cli.app import app
    from bench.errors import Interrupted, StepFailed, UserError

    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        code = app(arguments, standalone_mode=False)
        return code if isinstance(code, int) else DONE
    except (UserError, typer.TyperException) as error:
        text = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        return _say(text, WRONG_INPUT, debug)
    except StepFailed as error:
        return _say(str(error), STEP_FAILED, debug)
    except typer.Exit as leave:
        return leave.exit_code
    except (Interrupted, KeyboardInterrupt, typer.Abort) as error:
        return _say(str(error) or "interrupted; what was finished is kept", INTERRUPTED, debug=False)
    except BrokenPipeError:
        return DONE
    except Exception as error:
        text = f"a fault of locbench itself: {type(error).__name__}: {error}; --debug shows where"
        return _say(text, STEP_FAILED, debug)


def _say(text: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(f"locbench: {' '.join(text.split())}", file=sys.stderr)
    return code
