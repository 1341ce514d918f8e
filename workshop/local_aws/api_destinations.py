"""EventBridge's API destinations as AWS runs them: deployed by CloudFormation, called again, and never lost in silence.

ministack knows them by API alone, calls each once and drops the event if that fails. What is here takes two of its
functions' places and adds two resource types; how a request is made up stays ministack's.
"""

import asyncio
import io
import json
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException, parse_headers
from inspect import signature
from pathlib import Path
from random import random
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from workshop.local_aws.clients import client
from workshop.local_aws.late import PROVISIONERS, when_imported

log = logging.getLogger(__name__)

_RESPONSE_SECONDS: Final = 5
"""A receiver that takes longer has not answered (EventBridge user guide, API destinations). It is the one time here
that is not shortened: a receiver's work is real, and one that is quick enough for AWS has to be quick enough here."""

_RETRIED: Final = frozenset({401, 407, 409, 429, *range(500, 600)})
"""The answers after which the event is sent again (EventBridge user guide, API destination error codes)."""

_UNAUTHORISED: Final = frozenset({401, 407})

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 900.0


class UnknownMinistack(RuntimeError):
    """A function of ministack is not the one that this module stands in for."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How long and how often an event is sent again; the defaults are EventBridge's (RetryPolicy, API reference)."""

    most_retries: int = 185
    longest_age: float = 86_400.0

    @staticmethod
    def of(target: Mapping[str, Any]) -> "Policy":
        """Read the policy of a rule's target."""
        given = target.get("RetryPolicy") or {}
        return Policy(
            most_retries=int(given.get("MaximumRetryAttempts", Policy.most_retries)),
            longest_age=float(given.get("MaximumEventAgeInSeconds", Policy.longest_age)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a call did not deliver.

    `code` is of the codes that AWS lists for dead letters; which of them stands for which failure AWS does not say.
    `retry_after` are the seconds that the receiver asks for; negative: it asks for no further call.
    """

    code: str
    message: str
    retried: bool
    retry_after: float = 0.0
    unauthorised: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The event becomes a dead letter. `exhausted` names the limit of the policy that was met, if one was."""

    exhausted: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one API destination, as it is kept on disk until it has arrived or is a dead letter."""

    target: dict[str, Any]
    rule_arn: str
    event: dict[str, Any]
    payload: str
    accepted_at: float

    @property
    def scope(self) -> tuple[str, str]:
        """Return the account and the region of the rule; it reaches API destinations of its own alone."""
        _, _, _, region, account, _ = self.rule_arn.split(":", 5)
        return account, region


def pause(retries: int, jitter: float) -> float:
    """Return the seconds to wait before the next retry, after `retries` of them; `jitter` is from [0, 1).

    "Exponential back off and jitter" is all that AWS says (EventBridge user guide, How EventBridge retries delivering
    events). The longest pause is chosen so that 185 retries take about the 24 hours that they may take.
    """
    # 2**10 seconds are past the longest pause, and 2.0**185 of them past any clock.
    return jitter * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(retries, 10))


def after(failure: Failure, policy: Policy, *, retries: int, age: float, jitter: float) -> float | GiveUp:
    """Return the seconds to wait before the next call, or that there is none.

    `retries` have been made already, and `age` are the seconds since the event was accepted. Of the pause and the
    receiver's Retry-After the longer one counts; a negative Retry-After ends it (EventBridge user guide, API
    destination error codes). An event that would be too old at the next call is given up now.
    """
    if not failure.retried or failure.retry_after < 0:
        return GiveUp()
    if retries >= policy.most_retries:
        return GiveUp("MaximumRetryAttempts")
    wait = max(pause(retries, jitter), failure.retry_after)
    return wait if age + wait <= policy.longest_age else GiveUp("MaximumEventAgeInSeconds")


def retry_after(value: str | None, now: float) -> float:
    """Return the seconds that a Retry-After header asks for: a number, or until a date (RFC 9110, 10.2.3).

    What is neither asks for nothing.
    """
    text = (value or "").strip()
    if re.fullmatch(r"-?[0-9]{1,9}", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0


class ApiDestinations:
    """Delivers what rules send to API destinations, on a thread of its own, so that no slow receiver holds up a bus."""

    def __init__(self, endpoint: str, folder: Path, interval_factor: float) -> None:
        """Send dead letters to SQS at `endpoint`, and keep what is under way in `folder`: a restart goes on with it.

        Every wait and an event's greatest age are multiplied by `interval_factor`.
        """
        self._endpoint = endpoint
        self._folder = folder
        self._factor = interval_factor
        self._next_call: dict[str, float] = {}
        self._loop = asyncio.new_event_loop()
        # A daemon: a receiver that hangs must not keep the server from ending.
        self._thread = threading.Thread(target=self._loop.run_forever, name="api-destinations", daemon=True)

    def install(self) -> None:
        """Take the places of ministack's functions, and begin to deliver.

        Raises:
            UnknownMinistack: a function is not the one that this was written for.
        """
        from ministack.services import eventbridge

        invoke = eventbridge._invoke_target
        _expect(invoke, "target", "event", "rule", "view")
        _expect(eventbridge._dispatch_to_api_destination, "spec", "payload", "target")
        _expect(eventbridge._build_api_destination_request, "dest", "conn", "target_http_params", "payload")
        _expect(eventbridge._connection_auth_headers, "conn", "token_key", "force_refresh")
        _expect(eventbridge._finalize_api_dest_headers, "headers")

        def with_its_origin(target: dict[str, Any], event: Any, rule: dict[str, Any], view: Any = None) -> None:
            # A dead letter names the rule and holds the event as it was; the function below is told neither.
            view = view or eventbridge._pattern_event_view(event)
            invoke({**target, "_Rule": rule["Arn"], "_View": view}, event, rule, view)

        def deliver(_: object, payload: str, target: dict[str, Any]) -> None:
            rule_arn, view = target.pop("_Rule"), target.pop("_View")
            self.accept(Delivery(target, rule_arn, view.event_with_detail(), payload, time.time()))

        eventbridge._invoke_target = with_its_origin
        eventbridge._dispatch_to_api_destination = deliver
        for resource_type in _TYPES:
            when_imported(PROVISIONERS, resource_type.register)
        self._folder.mkdir(exist_ok=True)
        self._thread.start()

    def resume(self) -> None:
        """Go on with what the last server left undelivered; its retries are counted anew, its age is not."""
        for file in self._folder.glob("*.json"):
            self._start(Delivery(**json.loads(file.read_text(encoding="utf-8"))), file)

    def accept(self, delivery: Delivery) -> None:
        """Keep an event and begin to deliver it. It is on disk before PutEvents is answered."""
        file = self._folder / f"{uuid4()}.json"
        unfinished = file.with_suffix(".new")
        unfinished.write_text(json.dumps(asdict(delivery)), encoding="utf-8")
        unfinished.replace(file)
        self._start(delivery, file)

    def close(self) -> None:
        """Make no further call. What has not arrived is taken up again by the next server."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Dead letters are sent from its threads, while the server still answers.
        await self._loop.shutdown_default_executor()

    def _start(self, delivery: Delivery, file: Path) -> None:
        asyncio.run_coroutine_threadsafe(self._deliver(delivery, file), self._loop)

    async def _deliver(self, delivery: Delivery, file: Path) -> None:
        """Call until the event has arrived or is a dead letter; then forget it."""
        try:
            policy, retries, refresh = Policy.of(delivery.target), 0, False
            while (failure := await self._call(delivery, refresh=refresh)) is not None:
                log.warning("Event %s for %s: %s", delivery.event["id"], delivery.target["Arn"], failure.message)
                # In AWS's seconds: as many waits fit into the event's age as there.
                age = (time.time() - delivery.accepted_at) / self._factor if self._factor else 0.0
                wait = after(failure, policy, retries=retries, age=age, jitter=random())  # noqa: S311 - no secret
                if isinstance(wait, GiveUp):
                    await asyncio.to_thread(self._bury, delivery, failure, wait, retries)
                    break
                await asyncio.sleep(wait * self._factor)
                retries, refresh = retries + 1, failure.unauthorised
            file.unlink()
        except Exception:
            log.exception("The delivery in %s failed inside the embedded AWS; the next start tries again", file)

    async def _call(self, delivery: Delivery, *, refresh: bool) -> Failure | None:
        """Call the destination once, as it is now, and return why it did not take the event.

        `refresh` has an OAuth token fetched anew.
        """
        from ministack.core.responses import set_request_account_id, set_request_region
        from ministack.services import eventbridge

        account, region = delivery.scope
        # Context variables, so they are set for this task alone.
        set_request_account_id(account)
        set_request_region(region)
        arn = delivery.target["Arn"]
        destination = eventbridge._api_destinations.get(arn.split("/")[1])
        if destination is None or not arn.startswith(destination["ApiDestinationArn"]):
            return _failure("NO_RESOURCE", "The API destination does not exist.", retried=False)
        connection_name = destination["ConnectionArn"].split("/")[1]
        connection = eventbridge._connections.get(connection_name)
        if connection is None:
            return _failure("NO_RESOURCE", "The connection does not exist.", retried=False)
        await self._turn(arn, float(destination["InvocationRateLimitPerSecond"]))
        # Only now: while it waited, another call may have had its key refused.
        if destination["ApiDestinationState"] != "ACTIVE" or connection["ConnectionState"] != "AUTHORIZED":
            return _failure(
                "SDK_CLIENT_ERROR",
                f"The API destination is {destination['ApiDestinationState']}, its connection {connection_name} "
                f"{connection['ConnectionState']}: update the connection with a key that the endpoint accepts.",
            )
        request = eventbridge._build_api_destination_request(
            destination, connection, delivery.target.get("HttpParameters") or {}, delivery.payload
        )
        token = (account, region, connection_name)
        try:
            async with asyncio.timeout(_RESPONSE_SECONDS):
                proof = await asyncio.to_thread(eventbridge._connection_auth_headers, connection, token, refresh)
                headers = eventbridge._finalize_api_dest_headers({**request["headers"], **proof})
                status, asked = await _send(request["method"], request["url"], headers, request["body"])
        except TimeoutError:
            return _failure("TIMEOUT", "Timeout calling endpoint for API Destination.")
        except socket.gaierror as error:
            return _failure("NO_RESOURCE", f"The endpoint's name cannot be resolved: {error.strerror}.", retried=False)
        except BadRequest as error:
            return _failure("INVALID_PARAMETER", f"{error}.", retried=False)
        except (OSError, EOFError, asyncio.LimitOverrunError, HTTPException, ValueError) as error:
            return _failure("SDK_CLIENT_ERROR", f"API destination endpoint cannot be reached: {error}.")
        if 200 <= status < 300:
            return None
        if status in _UNAUTHORISED and connection["AuthorizationType"] != "OAUTH_CLIENT_CREDENTIALS":
            # So does AWS with connections of these types (EventBridge user guide, De-authorizing connections).
            connection["ConnectionState"] = "DEAUTHORIZED"
        return _failure(
            "THROTTLING" if status == 429 else "ERROR_FROM_TARGET",
            f"The endpoint answered with status {status}.",
            retried=status in _RETRIED,
            retry_after=retry_after(asked, time.time()),
            unauthorised=status in _UNAUTHORISED,
        )

    async def _turn(self, destination: str, rate: float) -> None:
        """Wait until the destination may be called: at most `rate` times a second, the seconds scaled."""
        now = self._loop.time()
        turn = max(now, self._next_call.get(destination, now))
        self._next_call[destination] = turn + self._factor / rate
        await asyncio.sleep(turn - now)

    def _bury(self, delivery: Delivery, failure: Failure, end: GiveUp, retries: int) -> None:
        """Send the event as it was to the target's dead-letter queue, with the attributes that EventBridge adds.

        Their names: EventBridge user guide, Using dead-letter queues to process undelivered events.
        """
        queue_arn = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
        if queue_arn is None:
            log.error("Event %s is lost: its rule has no dead-letter queue", delivery.event["id"])
            return
        attributes = {
            "RULE_ARN": delivery.rule_arn,
            "TARGET_ARN": delivery.target["Arn"],
            "ERROR_CODE": failure.code,
            "ERROR_MESSAGE": failure.message,
            "RETRY_ATTEMPTS": str(retries),
        }
        if end.exhausted is not None:
            attributes["EXHAUSTED_RETRY_CONDITION"] = end.exhausted
        _, _, _, region, account, name = queue_arn.split(":")
        sqs = client("sqs", self._endpoint, region)
        url = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
        sqs.send_message(
            QueueUrl=url,
            MessageBody=json.dumps(delivery.event),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )


def _failure(
    code: str, why: str, *, retried: bool = True, retry_after: float = 0.0, unauthorised: bool = False
) -> Failure:
    # The opening words are AWS's.
    message = f"Unable to invoke ApiDestination endpoint: {why}"
    return Failure(code=code, message=message, retried=retried, retry_after=retry_after, unauthorised=unauthorised)


class BadRequest(ValueError):
    """A header's value, or the address, cannot be sent: a path into the event may have brought anything into it."""


_is_line: Final = re.compile(r"[\t\x20-\x7e]*").fullmatch


async def _send(method: str, url: str, headers: Mapping[str, str], body: str) -> tuple[int, str | None]:
    """Send one HTTP request and return the answer's status and Retry-After; neither redirects nor bodies are followed.

    Written out over a stream, because cancelling it closes the connection: `urllib` has a time limit for each read
    alone, and a receiver that sends a byte now and then would hold its thread for ever.

    Raises:
        BadRequest: a part of the request would break out of its line.
    """
    address = urlsplit(url)
    content = body.encode()
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    host = address.netloc.rpartition("@")[2]
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if not all(map(_is_line, lines)):
        raise BadRequest("a header or the path holds what HTTP cannot carry there")
    encrypted = ssl.create_default_context() if address.scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        address.hostname, address.port or (443 if encrypted else 80), ssl=encrypted
    )
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        await writer.drain()
        status = 100
        while 100 <= status < 200:  # Such an answer announces another.
            head = await reader.readuntil(b"\r\n\r\n")
            version_line, _, rest = head.partition(b"\r\n")
            version, code = version_line.decode("latin-1").split(" ", 2)[:2]
            if not version.startswith("HTTP/"):
                raise HTTPException(f"{version!a} is not HTTP")
            status = int(code)
        return status, parse_headers(io.BytesIO(rest)).get("Retry-After")
    finally:
        writer.close()


def _expect(function: Callable[..., Any], *parameters: str) -> None:
    if tuple(signature(function).parameters) != parameters:
        raise UnknownMinistack(
            f"ministack's {function.__name__} has other parameters than {', '.join(parameters)}; "
            "workshop/local_aws/api_destinations.py has to follow it, or to go if ministack delivers by itself now"
        )


@dataclass(frozen=True, slots=True)
class _ResourceType:
    """A resource type of CloudFormation over ministack's API of it, which takes a template's properties as they are.

    Only a new name replaces a resource (CloudFormation user guide, AWS::Events::Connection and ::ApiDestination).
    `defaults` are what a property becomes again when a template no longer has it.
    """

    kind: str
    noun: str
    defaults: Mapping[str, Any]

    def register(self) -> None:
        """Have ministack's CloudFormation deploy this type.

        Raises:
            UnknownMinistack: it does so by itself.
        """
        from ministack.services import eventbridge
        from ministack.services.cloudformation import provisioners

        if self.kind in provisioners._RESOURCE_HANDLERS:
            raise UnknownMinistack(f"ministack deploys {self.kind} by itself; api_destinations.py must no longer")

        def call(verb: str, properties: Mapping[str, Any]) -> dict[str, Any]:
            status, _, body = getattr(eventbridge, f"_{verb}_{self.noun}")(properties)
            answer: dict[str, Any] = json.loads(body)
            if status >= 400:
                raise ValueError(f"{self.kind}: {answer['message']}")
            return answer

        def name_of(properties: Mapping[str, Any], stack: str, logical_id: str) -> str:
            name: str = properties.get("Name") or provisioners._physical_name(stack, logical_id, max_len=64)
            return name

        def described(name: str, answer: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
            [arn] = (answer[key] for key in answer if key.endswith("Arn"))
            return name, {"Arn": arn, "ArnForPolicy": arn}

        def create(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, str]]:
            name = name_of(properties, stack, logical_id)
            return described(name, call("create", {**self.defaults, **properties, "Name": name}))

        def update(
            name: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str
        ) -> tuple[str, dict[str, str]]:
            replaced: tuple[str, dict[str, str]] | None = provisioners._rename_replacement(
                name, old, new, stack, logical_id, name_of(new, stack, logical_id), name, create, delete
            )
            return replaced or described(name, call("update", {**self.defaults, **new, "Name": name}))

        def delete(name: str, _: Mapping[str, Any]) -> None:
            call("delete", {"Name": name})

        provisioners._RESOURCE_HANDLERS[self.kind] = {
            "create": create,
            "update": update,
            "update_with_logical_id": True,
            "delete": delete,
        }


_TYPES: Final = (
    _ResourceType("AWS::Events::Connection", "connection", {"Description": ""}),
    _ResourceType(
        "AWS::Events::ApiDestination",
        "api_destination",
        # 300 a second is the most that AWS allows by default (EventBridge quotas).
        {"Description": "", "InvocationRateLimitPerSecond": 300},
    ),
)
