"""Runs of Step Functions go on after a restart of the embedded AWS, as they outlive anything on AWS.

ministack ends what was running when it stopped as FAILED, with the error `States.ServiceRestart`.
"""

import contextvars
import threading
from typing import Any

_INTERRUPTED = "States.ServiceRestart"


def resume() -> None:
    """Begin every interrupted run anew, under its own name, input and account.

    It begins at its first state, so a step that was done is done twice: ours find that out and change nothing.
    """
    from ministack.core.responses import set_request_account_id, set_request_region
    from ministack.services import stepfunctions

    for (account, region, arn), run in list(stepfunctions._executions._data.items()):
        if run.get("error") == _INTERRUPTED:
            _forget_the_end(run)
            context = contextvars.copy_context()
            context.run(set_request_account_id, account)
            context.run(set_request_region, region)
            threading.Thread(target=context.run, args=(stepfunctions._run_execution, arn), daemon=True).start()


def _forget_the_end(run: dict[str, Any]) -> None:
    run.update(status="RUNNING", stopDate=None, events=run["events"][:1])
    for name in ("error", "cause"):
        del run[name]
