"""CloudFormation in memory, as far as deleting stacks needs it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from workshop.target import PROJECT_TAG

_GONE = re.compile("NoSuch|ResourceNotFound")
_ARN = "arn:aws:cloudformation:us-east-1:123456789012:stack/"


@dataclass(kw_only=True)
class Stack:
    """A stack: its resources are types and physical names, and what is to happen when one is deleted."""

    name: str
    status: str = "CREATE_COMPLETE"
    tags: list[dict[str, str]] = field(default_factory=lambda: [PROJECT_TAG])
    resources: dict[str, str] = field(default_factory=dict)
    on_delete: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    exports: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    is_protected: bool = False
    busy_looks: int = 4
    """How often a rollback is still under way when it is looked at."""


class CloudFormation:
    """A client. Stacks are in the order in which they were made; what is deleted is so when next looked at."""

    def __init__(self, *stacks: Stack) -> None:
        self.stacks = {stack.name: stack for stack in stacks}
        self.log: list[str] = []
        self._order = [stack.name for stack in stacks]

    def add(self, stack: Stack) -> None:
        self.stacks[stack.name] = stack
        self._order.append(stack.name)

    def can_paginate(self, _: str) -> bool:
        return True

    def get_paginator(self, operation: str) -> "_Paginator":
        return _Paginator(getattr(self, operation))

    def describe_stacks(self, *, StackName: str | None = None) -> dict[str, Any]:  # noqa: N803
        for stack in list(self.stacks.values()):
            self._go_on(stack)
        found = [self._stack(StackName)] if StackName else list(self.stacks.values())
        return {"Stacks": [self._described(stack) for stack in found]}

    def list_stack_resources(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {
            "StackResourceSummaries": [
                {"ResourceType": kind, "PhysicalResourceId": name, "ResourceStatus": "CREATE_COMPLETE"}
                for name, kind in self._stack(StackName).resources.items()
            ]
        }

    def get_template(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        stack = self._stack(StackName)
        if stack.status == "REVIEW_IN_PROGRESS":
            raise _invalid("GetTemplate", "Stack has no template yet")
        values = [{"Value": {"Fn::ImportValue": name}} for name in stack.imports]
        return {"TemplateBody": {"Resources": {"R": {"Properties": {"Values": values}}}}}

    def delete_stack(self, *, StackName: str, DeletionMode: str) -> None:  # noqa: N803
        stack = self._stack(StackName)
        if stack.is_protected:
            raise _invalid("DeleteStack", "TerminationProtection is enabled")
        if stack.status not in ("REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS") and stack.status.endswith("_IN_PROGRESS"):
            raise _invalid("DeleteStack", f"{stack.status} cannot be interrupted")
        if any(set(stack.exports) & set(other.imports) for other in self.stacks.values()):
            raise _invalid("DeleteStack", "an export is in use")
        if DeletionMode == "FORCE_DELETE_STACK" and stack.status != "DELETE_FAILED":
            raise _invalid("DeleteStack", "only a stack that failed can be forced")
        self.log.append(f"{DeletionMode} {stack.name}")
        stack.status = f"DELETE_IN_PROGRESS by {DeletionMode}"

    def _go_on(self, stack: Stack) -> None:
        if stack.status.startswith("DELETE_IN_PROGRESS"):
            for name in list(stack.resources):
                try:
                    stack.on_delete.get(name, lambda: None)()
                except ClientError as error:
                    if not _GONE.match(error.response["Error"]["Code"]):
                        continue
                del stack.resources[name]
            if stack.resources and not stack.status.endswith("FORCE_DELETE_STACK"):
                stack.status = "DELETE_FAILED"
            else:
                del self.stacks[stack.name]
        elif stack.status == "UPDATE_ROLLBACK_IN_PROGRESS":
            stack.busy_looks -= 1
            if stack.busy_looks == 0:
                stack.status = "UPDATE_ROLLBACK_FAILED"

    def _stack(self, stack_id: str) -> Stack:
        if (stack := self.stacks.get(stack_id.removeprefix(_ARN))) is None:
            raise _invalid("DescribeStacks", f"Stack with id {stack_id} does not exist")
        return stack

    def _described(self, stack: Stack) -> dict[str, Any]:
        made = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=self._order.index(stack.name))
        return {
            "StackName": stack.name,
            "StackId": f"{_ARN}{stack.name}",
            "StackStatus": stack.status.partition(" ")[0],
            "CreationTime": made,
            "Tags": stack.tags,
            "EnableTerminationProtection": stack.is_protected,
            "Outputs": [
                *({"OutputKey": key, "OutputValue": value} for key, value in stack.outputs.items()),
                *({"OutputKey": name, "OutputValue": name, "ExportName": name} for name in stack.exports),
            ],
        }


@dataclass(frozen=True)
class _Paginator:
    operation: Callable[..., dict[str, Any]]

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        return [self.operation(**asked)]


def _invalid(operation: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": "ValidationError", "Message": message}}, operation)
