"""What was under way when the embedded AWS stopped goes on when it is back, as nothing on AWS ever stops."""

import contextvars
import threading
from typing import Any

_INTERRUPTED = "States.ServiceRestart"


def resume_runs() -> None:
    """Begin every interrupted run of Step Functions anew, under its own name, input and account.

    ministack ends what was running when it stopped as FAILED, with the error `States.ServiceRestart`. A run begins at
    its first state, so a step that was done is done twice: ours find that out and change nothing.
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


def release_messages() -> None:
    """Let the messages that functions were at work on be received again at once.

    Nobody is left who could delete them, and they are hidden for six times as long as a function may take: minutes.
    """
    from ministack.services import lambda_svc, sqs

    polled = {mapping.get("EventSourceArn") for mapping in lambda_svc._esms._data.values()}
    with sqs._queues_lock:
        for queue in sqs._queues._data.values():
            if queue["attributes"].get("QueueArn") in polled:
                for message in queue["messages"]:
                    if message.get("receipt_handle"):
                        message.update(receipt_handle=None, visible_at=0)


def _forget_the_end(run: dict[str, Any]) -> None:
    run.update(status="RUNNING", stopDate=None, events=run["events"][:1])
    for name in ("error", "cause"):
        del run[name]
