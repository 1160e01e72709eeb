"""A process that calls functions for `bench.data.processes`: calls come in on stdin, answers go out on stdout."""

import os
import pickle
import signal
import sys


def serve() -> None:
    """Answers until the input ends. Interrupts are the parent's to handle; prints go to stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    calls, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while True:
        try:
            function, arguments = pickle.load(calls)
        except EOFError:
            return
        try:
            answer = (True, function(*arguments))
        except Exception as error:  # Whatever it is belongs to the caller, who raises it.
            answer = (False, error)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    serve()
