"""The two places a deployment can live, seen alike: clients, and the resources the stacks say they made."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from workshop.errors import WorkshopError
from workshop.local_aws.isolation import isolated
from workshop.local_aws.protocol import REGION
from workshop.places import local_home


class AwsRefused(WorkshopError):
    """AWS answered a request with a refusal."""


class AwsOutOfReach(WorkshopError):
    """No answer came from AWS, or no credentials were there to ask with."""


@contextmanager
def aws_in_plain_words() -> Iterator[None]:
    """Turn what boto3 raises into a sentence and a next step.

    Raises:
        AwsRefused: a call was refused.
        AwsOutOfReach: a call could not be made.
    """
    try:
        yield
    except ClientError as error:
        said = error.response["Error"]
        raise AwsRefused(
            f"AWS refused {error.operation_name}: {said['Message']} ({said['Code']}).",
            "Check your credentials, what they allow, and what is deployed.",
        ) from error
    except BotoCoreError as error:
        raise AwsOutOfReach(
            f"AWS could not be reached: {error}.", "Check your credentials, region and network."
        ) from error


PROJECT_TAG = {"Key": "project", "Value": "inventory-workshop"}
"""Every stack carries it."""

# A synchronous invocation answers when StoreApp is done, which may take its full fifteen minutes; repeating it behind
# the caller's back would trade the same hours twice.
_PATIENT = Config(read_timeout=920, max_pool_connections=16, retries={"total_max_attempts": 1})
_PERSISTENT = Config(retries={"mode": "standard", "total_max_attempts": 5})
PROMPT = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
"""For somebody who looks on: a call that nothing answers has failed after about ten seconds."""
_ON_THIS_MACHINE = Config(proxies={}, s3={"addressing_style": "path"})


@dataclass(frozen=True, kw_only=True)
class Target:
    """One of the two targets. Local clients can reach 127.0.0.1 alone, whatever the environment says."""

    name: Literal["local", "aws"]
    region: str
    endpoint: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def config(self) -> Config:
        """How long its clients wait, and how often they ask again; whoever asks may change what is returned."""
        return self._here(_PERSISTENT)

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service, made once."""
        return self._once(service, service, self.config)

    def invoker(self) -> Any:
        """Return the Lambda client that waits as long as a function may run and never asks twice, made once."""
        return self._once("invoker", "lambda", self._here(_PATIENT))

    def _here(self, config: Config) -> Config:
        return config.merge(Config() if self.endpoint is None else _ON_THIS_MACHINE)

    def _once(self, name: str, service: str, config: Config) -> Any:
        if name not in self._clients:
            self._clients[name] = boto3.client(  # type: ignore[call-overload]
                service, region_name=self.region, endpoint_url=self.endpoint, config=config
            )
        return self._clients[name]

    def stacks(self) -> list[dict[str, Any]]:
        """Return what CloudFormation says of each stack of this project, in the order in which they were made."""
        pages = self.client("cloudformation").get_paginator("describe_stacks").paginate()
        found = [stack for page in pages for stack in page["Stacks"] if PROJECT_TAG in stack.get("Tags", [])]
        return sorted(found, key=lambda stack: stack["CreationTime"])

    def resources(self) -> dict[str, str]:
        """Return the physical names of what is deployed, by their plain names: the outputs of the tagged stacks.

        Raises:
            WorkshopError: nothing is deployed.
        """
        found = {
            _plain(output["OutputKey"]): output["OutputValue"]
            for stack in self.stacks()
            if stack["StackStatus"] in _USABLE
            for output in stack.get("Outputs", [])
            # Exports are how CDK hands values from stack to stack; they are nobody's plain names.
            if "ExportName" not in output
        }
        if not found:
            flag = " --aws" if self.name == "aws" else ""
            raise WorkshopError("Nothing is deployed here yet.", f"Run `python3 -m workshop up{flag}`.")
        return found


_USABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}


def _plain(output_key: str) -> str:
    """`DeliveryStream` -> `delivery_stream`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", output_key).lower()


def local_target(endpoint: str) -> Target:
    """Return the embedded AWS as a target, and cut this process off from every other AWS.

    Credentials, profiles and endpoints in the environment are gone for this process and its children.
    """
    secluded = isolated(os.environ, endpoint)
    # One by one: another thread that looks meanwhile never finds an environment without its PATH or credentials.
    for name in os.environ.keys() - secluded.keys():
        del os.environ[name]
    os.environ.update(secluded)
    return Target(name="local", region=REGION, endpoint=endpoint)


def aws_target() -> Target:
    """Return the AWS account and region that the environment's credentials open.

    Raises:
        WorkshopError: no region is set.
    """
    region = boto3.session.Session().region_name
    if not region:
        raise WorkshopError("No AWS region is set.", "Set AWS_REGION, for example to us-east-1, and try again.")
    return Target(name="aws", region=region)


def find_target(*, aws: bool) -> Target:
    """Return the target a command talks to.

    Raises:
        WorkshopError: the embedded AWS does not run, or no region is set.
    """
    if aws:
        return aws_target()
    address = local_home().address()
    if address is None:
        raise WorkshopError("The embedded AWS does not run.", "Run `python3 -m workshop up`.")
    return local_target(address.endpoint)
