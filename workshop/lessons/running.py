"""A bash that runs the commands of a lesson one after the other, as the learner's own shell would."""

import os
import select
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from workshop.errors import WorkshopError

COMMAND_SECONDS = 300
"""The longest that a lesson has is `up` from nothing, which takes a minute on a slow machine."""


class ShellEnded(WorkshopError):
    """A command ended the shell that the commands after it need."""


class NeverEnding(WorkshopError):
    """A command waits for what does not come."""


class Shell:
    """One bash for one lesson: what a command sets, and where it goes, the next one finds.

    What a command prints, on stdout and stderr alike, goes to a file, so programs know that no terminal is there;
    what it reads is empty.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], *, within: float = COMMAND_SECONDS) -> None:
        """`folder` is where the shell begins; `environment` is all that its commands know of ours.

        `within` so many seconds each of them has to end.
        """
        self._within = within
        self._scratch = TemporaryDirectory(prefix="lesson-")
        self._script = Path(self._scratch.name) / "command"
        self._output = Path(self._scratch.name) / "output"
        read_end, write_end = os.pipe()
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],  # noqa: S607 - the learner's own
            cwd=folder,
            env={**environment, "LESSON_COMMAND": str(self._script), "LESSON_OUTPUT": str(self._output)},
            stdin=subprocess.PIPE,
            pass_fds=[write_end],
            start_new_session=True,
            text=True,
        )
        os.close(write_end)
        self._codes = os.fdopen(read_end, encoding="ascii")
        # The file descriptor is not for the commands: something they leave running would keep the pipe open.
        self._line = f'. "$LESSON_COMMAND" >"$LESSON_OUTPUT" 2>&1 </dev/null {write_end}>&-; echo $? >&{write_end}\n'

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the shell and what still runs in it."""
        with suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        if self._bash.stdin:
            self._bash.stdin.close()
        self._bash.wait()
        self._codes.close()
        self._scratch.cleanup()

    def run(self, script: str) -> tuple[list[str], int]:
        """Run a command and return the lines it printed and its exit code.

        Raises:
            ShellEnded: the command left the shell.
            NeverEnding: it did not end in time.
        """
        self._script.write_text(script + "\n", encoding="utf-8")
        if self._bash.stdin is None or self._bash.poll() is not None:
            raise ShellEnded("The shell has ended.", "Begin the lesson anew.")
        self._bash.stdin.write(self._line)
        self._bash.stdin.flush()
        if not select.select([self._codes], [], [], self._within)[0]:
            raise NeverEnding(f"This did not end within {self._within:g} s: {script}", "See what it waits for.")
        code = self._codes.readline()
        output = self._output.read_text(encoding="utf-8", errors="replace").splitlines()
        if not code:
            raise ShellEnded(f"This ended the shell: {script}", "Put what it does into parentheses.")
        return output, int(code)
