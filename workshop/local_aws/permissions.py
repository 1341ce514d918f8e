"""IAM enforcement: a call is made only if the policies of who makes it allow it.

ministack, told to (`AUTH=true`), decides every call that comes over HTTP, and gives each function the credentials of
its role. Decided here is what does not come that way, for AWS decides it too: what Firehose, Step Functions, Lambda and
EventBridge do with a role on somebody's behalf, and the calls to the services that stand in front of ministack. The
decision is ministack's in all of it. The key `test`, which the tools and the `cdk` command sign with, is the account's
root and may do everything.
"""

import json
import logging
import secrets
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from functools import cache
from typing import Any

from workshop.local_aws.clients import Credentials
from workshop.local_aws.late import when_imported
from workshop.local_aws.protocol import AwsError, Caller

_POLLING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What an event source mapping does to its queue with the function's role (Lambda developer guide, "Creating and
configuring an Amazon SQS event source mapping")."""
_LOGGING = ("logs:CreateLogStream", "logs:PutLogEvents")
"""What Lambda does with a function's role to keep its log (AWS managed policy AWSLambdaBasicExecutionRole)."""

_BATCHES = {f"sqs:{each}Batch": f"sqs:{each}" for each in ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")}
"""What allows a batch call is what allows a single one ("Amazon SQS API permissions", SQS developer guide)."""
_SERVICES = {"Firehose_20150804": "firehose", "AmazonAthena": "athena"}
"""What stands in front of ministack, by what X-Amz-Target begins with."""

log = logging.getLogger(__name__)


def install() -> None:
    """Have ministack's services ask before they do something with a role. Its own `AUTH` is read from the environment.

    The embedded AWS answers on 127.0.0.1 without TLS, which AWS is never reached without: it counts as given, for
    policies that deny what comes without it.
    """
    from ministack import app
    from ministack.core import iam_actions, iam_evaluator

    pin = iam_evaluator.pin_request_origin
    iam_evaluator._request_origin = ContextVar("ministack_request_origin", default=("127.0.0.1", True))
    app.pin_request_origin = lambda address, _secure: pin(address, True)
    extract = iam_actions.extract_iam_action
    iam_actions.extract_iam_action = lambda *request: _BATCHES.get(action := extract(*request), action)
    for module, guard in (
        ("lambda_svc", _guard_lambda),
        ("stepfunctions", _guard_step_functions),
        ("eventbridge", _guard_eventbridge),
    ):
        when_imported(f"ministack.services.{module}", guard)


def authorise(scope: Mapping[str, Any], caller: Caller, body: bytes) -> None:
    """Check the signature and the policies of a request that ministack does not see.

    Raises:
        AwsError: AccessDeniedException, or what is wrong with the credentials.
    """
    from ministack import app
    from ministack.core import iam_actions, iam_evaluator, responses, router

    responses.set_request_account_id(caller.account)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    path = scope["path"]
    service = _SERVICES[headers["x-amz-target"].partition(".")[0]]
    iam_evaluator.pin_signed_request(scope["method"], path, {}, scope["headers"])
    iam_evaluator.pin_signed_body(body)
    action = iam_actions.extract_iam_action(service, scope["method"], path, headers, body, {})
    resource = iam_actions.extract_resource_arn(
        service, scope["method"], path, headers, body, {}, caller.region, caller.account
    )
    key = router.extract_access_key_id(headers)
    denied = iam_evaluator.enforce(key, action, service, caller.region, resource_arn=resource)
    if isinstance(denied, iam_evaluator.AuthError):
        status, _, answer = app._credential_failure(service, action, "", denied, headers)
        document = json.loads(answer)
        raise AwsError(document["__type"], document["message"], status=status)
    if denied:
        explicit = denied.decision == "Deny"
        message = iam_actions.identity_denial_message(action, denied.principal_arn, resource, explicit)
        raise AwsError("AccessDeniedException", message)


@cache
def credentials_of(role_arn: str) -> Credentials:
    """Return credentials for what a service does with a role. They last as long as this process."""
    from ministack.services import sts

    # No hexadecimal digits, by which the meter knows a function's key.
    credentials = Credentials(f"ASIA-SERVICE-{secrets.token_hex(8)}", secrets.token_hex(20), secrets.token_hex(20))
    session = {
        "Arn": _session_arn(role_arn),
        "UserId": f"{_role_name(role_arn)}:service",
        "SecretAccessKey": credentials.secret_key,
        "SessionToken": credentials.token,
    }
    sts.register_session(credentials.access_key, session)
    return credentials


def allows(role_arn: str, action: str, resource_arn: str) -> bool:
    """Tell whether a role's policies allow an action; the log names, once, what they do not."""
    from ministack.core import iam_evaluator

    account = role_arn.split(":")[4]
    context = iam_evaluator.EvalContext(
        principal_arn=_session_arn(role_arn),
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=resource_arn.split(":")[3],
    )
    policies = iam_evaluator._gather_role_policies(_role_name(role_arn), account)
    if iam_evaluator.evaluate(context, policies).decision == "Allow":
        return True
    _tell(role_arn, action, resource_arn)
    return False


@cache
def _tell(who: str, action: str, resource_arn: str) -> None:
    log.warning("%s is not authorized to perform %s on %s", who, action, resource_arn)


def _role_name(role_arn: str) -> str:
    return role_arn.rpartition("/")[2]


def _session_arn(role_arn: str) -> str:
    return f"arn:aws:sts::{role_arn.split(':')[4]}:assumed-role/{_role_name(role_arn)}/service"


def _guard_lambda() -> None:
    lambdas: Any = sys.modules["ministack.services.lambda_svc"]
    concurrency, emit_logs = lambdas._sqs_esm_concurrency, lambdas._emit_lambda_logs

    def concurrency_if_allowed(mapping: Mapping[str, Any], record: Mapping[str, Any], *rest: Any) -> int:
        role, queue = record["config"]["Role"], mapping["EventSourceArn"]
        return concurrency(mapping, record, *rest) if all(allows(role, each, queue) for each in _POLLING) else 0

    def emit_logs_if_allowed(function: Mapping[str, Any], *rest: Any, **named: Any) -> None:
        configuration = function.get("config") or function
        _, _, _, region, account, _, name, *_ = configuration["FunctionArn"].split(":")
        group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}"
        stream = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{name}"
        if all(allows(configuration["Role"], each, stream) for each in _LOGGING):
            emit_logs(function, *rest, **named)

    lambdas._sqs_esm_concurrency = concurrency_if_allowed
    lambdas._emit_lambda_logs = emit_logs_if_allowed


_running: ContextVar[MutableMapping[str, Any]] = ContextVar("execution")
"""The execution whose task this thread takes."""


def _guard_step_functions() -> None:
    workflows: Any = sys.modules["ministack.services.stepfunctions"]
    execute_task, invoke_resource = workflows._execute_task, workflows._invoke_resource

    def execute_known_task(state: Any, given: Any, execution: MutableMapping[str, Any], context: Any) -> Any:
        _running.set(execution)
        return execute_task(state, given, execution, context)

    def invoke_if_allowed(resource: str, given: Any) -> Any:
        role = workflows._state_machines[_running.get()["stateMachineArn"]]["roleArn"]
        for action, arn in _task_calls(resource, given):
            if not allows(role, action, arn):
                # The error that "Error names" in the Step Functions developer guide has for it.
                message = f"{_session_arn(role)} is not authorized to perform: {action} on resource: {arn}"
                raise workflows._ExecutionError("States.Permissions", message)
        return invoke_resource(resource, given)

    workflows._execute_task, workflows._invoke_resource = execute_known_task, invoke_if_allowed


def _task_calls(resource: str, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a task's role must allow, for the integrations that are in use here."""
    if resource.startswith("arn:aws:lambda:"):
        return [("lambda:InvokeFunction", resource)]
    if resource == "arn:aws:states:::events:putEvents":
        return [("events:PutEvents", _bus_arn(entry.get("EventBusName", "default"))) for entry in given["Entries"]]
    return []


def _bus_arn(name: str) -> str:
    from ministack.core.responses import get_account_id, get_region

    return name if name.startswith("arn:") else f"arn:aws:events:{get_region()}:{get_account_id()}:event-bus/{name}"


def _guard_eventbridge() -> None:
    events: Any = sys.modules["ministack.services.eventbridge"]
    invoke_target = events._invoke_target

    def invoke_target_if_allowed(target: Mapping[str, Any], event: Any, rule: Mapping[str, Any], *view: Any) -> None:
        if _may_reach(target, rule):
            invoke_target(target, event, rule, *view)

    events._invoke_target = invoke_target_if_allowed


def _may_reach(target: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    """Tell whether a rule may send to a target: an API destination by the target's role, a queue by its own policy."""
    arn, source = target["Arn"], rule["Arn"]
    if ":api-destination/" in arn:
        return allows(target["RoleArn"], "events:InvokeApiDestination", arn)
    if arn.startswith("arn:aws:sqs:"):
        from ministack.services import sqs

        if not sqs.queue_policy_allows(arn, "events.amazonaws.com", source, source.split(":")[4]):
            _tell(source, "sqs:SendMessage", arn)
            return False
    return True
