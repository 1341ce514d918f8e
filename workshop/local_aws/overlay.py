"""Actions of ours over ministack's own state: what it answers wrongly or not at all.

They run where ministack's do, one at a time on the server's loop, in the request's account and region.
"""

import json
from collections.abc import Callable, Mapping
from inspect import signature
from types import ModuleType
from typing import Any

from workshop.local_aws.protocol import AwsError

Answer = Callable[[dict[str, Any]], dict[str, Any]]
"""From a request's parsed body to the answer's; raises AwsError."""


class UnknownMinistack(RuntimeError):
    """A function of ministack is not the one that ours stands in for."""


def overlay(service: ModuleType, actions: Mapping[str, Answer]) -> None:
    """Have a JSON service of ministack answer the named actions with ours.

    Raises:
        UnknownMinistack: the service no longer takes requests by the function that this stands in for.
    """
    ministacks = service.handle_request
    if tuple(signature(ministacks).parameters) != ("method", "path", "headers", "body", "query_params"):
        raise UnknownMinistack(f"{service.__name__}.handle_request takes other arguments; overlay.py has to follow it")

    async def handle_request(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]
    ) -> tuple[int, dict[str, str], bytes]:
        name = headers.get("x-amz-target", "").rpartition(".")[2]
        if name not in actions:
            theirs: tuple[int, dict[str, str], bytes] = await ministacks(method, path, headers, body, query_params)
            return theirs
        try:
            status, answer = 200, actions[name](json.loads(body or b"{}"))
        except ValueError as error:
            status, answer = 400, {"__type": "SerializationException", "message": f"The request is not JSON: {error}"}
        except AwsError as error:
            status, answer = error.status, {"__type": error.error_type, "message": error.message, **error.fields}
        return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()

    service.handle_request = handle_request  # type: ignore[attr-defined]
