"""The one exception for input that a person can mend: it becomes one line on stderr and exit code 2."""


class UserError(Exception):
    """Says what is wrong, where (file, line, key) and what to do; `str()` is the whole line."""

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        text = f"{where}: {what}" if where else what
        super().__init__(" ".join((f"{text}; {remedy}" if remedy else text).split()))


class StepFailed(Exception):
    """A step of a study did not finish for a reason other than the user's input: exit code 1."""


class Interrupted(Exception):
    """The user stopped a run: exit code 130, and the line says what was kept and how to go on."""
