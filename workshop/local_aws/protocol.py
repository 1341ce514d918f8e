"""What a service of the embedded AWS is, and how it refuses a request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

ACCOUNT = "000000000000"
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, read from the request's signature: resources belong to one account and region."""

    account: str
    region: str


class AwsError(Exception):
    """A refusal that goes to the client as AWS words it: an error type, a sentence and a status."""

    def __init__(self, error_type: str, message: str, *, status: int = 400, **fields: Any) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.status = status
        self.fields = fields


Action = Callable[[Caller, dict[str, Any]], dict[str, Any]]


class Service(Protocol):
    """Some actions of one AWS JSON 1.1 service. Actions it does not name are answered by ministack.

    Actions are called on worker threads, several at once, with the parsed request body, and return the response body.
    """

    target_prefix: str
    """The part of X-Amz-Target before the dot, such as `Firehose_20150804`."""

    @property
    def actions(self) -> Mapping[str, Action]:
        """The actions by name."""

    def close(self) -> None:
        """Finish what is under way and write what is buffered; called once, while the server still answers."""
