"""What a learner is told when something does not work: one sentence, and what to do next."""


class WorkshopError(Exception):
    """A failure that is the user's to mend. It is shown as a sentence and a next step, never as a traceback."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}"

    def _render_traceback_(self) -> list[str]:
        # IPython shows these lines instead of a traceback ("Integrating your objects with IPython").
        return [self.message, self.next_step]
