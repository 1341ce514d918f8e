"""CloudFormation's resource types of Athena over its actions: those ministack lacks, and a work group's deletion."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from workshop.local_aws.overlay import Answer, UnknownMinistack
from workshop.local_aws.protocol import AwsError

Properties = Mapping[str, Any]
Provisioned = tuple[str, dict[str, str]]
"""A resource's physical id, which is what Ref returns, and its attributes."""


@dataclass(frozen=True, slots=True)
class _ResourceType:
    """A type over the actions Create, Update and Delete of a noun.

    `named_by` is the property with the resource's name; `replaced_by` are those whose change makes a new resource;
    `known_by` those that Update and Delete need. `identified` is the answer's member with the physical id, if that is
    not the name. (CloudFormation Template Reference, AWS::Athena::NamedQuery, ::PreparedStatement, ::DataCatalog)
    """

    noun: str
    named_by: str
    replaced_by: frozenset[str]
    known_by: tuple[str, ...] = ()
    identified: str | None = None

    def handler(self, actions: Mapping[str, Answer], provisioners: Any) -> dict[str, Any]:
        """Return what ministack's CloudFormation calls for a resource of this type."""

        def create(logical_id: str, properties: Properties, stack: str) -> Provisioned:
            name = properties.get(self.named_by) or provisioners._physical_name(stack, logical_id, max_len=128)
            answer = _call(actions, f"Create{self.noun}", {**properties, self.named_by: name})
            if self.identified is None:
                return name, {}
            return answer[self.identified], {self.identified: answer[self.identified]}

        def update(physical_id: str, old: Properties, new: Properties, stack: str, logical_id: str) -> Provisioned:
            if any(old.get(key) != new.get(key) for key in self.replaced_by):
                created = create(logical_id, new, stack)
                provisioners._delete_predecessor(delete, physical_id, old)
                return created
            _call(actions, f"Update{self.noun}", {**new, self.named_by: physical_id})
            return physical_id, {}

        def delete(physical_id: str, properties: Properties) -> None:
            known = {key: properties[key] for key in self.known_by}
            with suppress(AwsError):  # It is gone already.
                actions[f"Delete{self.noun}"]({**known, self.identified or self.named_by: physical_id})

        return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


_TYPES: Final = {
    "AWS::Athena::NamedQuery": _ResourceType(
        "NamedQuery",
        named_by="Name",
        replaced_by=frozenset({"Name", "Database", "Description", "QueryString", "WorkGroup"}),
        identified="NamedQueryId",
    ),
    "AWS::Athena::PreparedStatement": _ResourceType(
        "PreparedStatement",
        named_by="StatementName",
        replaced_by=frozenset({"StatementName", "WorkGroup"}),
        known_by=("WorkGroup",),
    ),
    "AWS::Athena::DataCatalog": _ResourceType("DataCatalog", named_by="Name", replaced_by=frozenset({"Name"})),
}


def register(actions: Mapping[str, Answer]) -> None:
    """Have ministack's CloudFormation deploy these types, and refuse to delete a work group that holds something.

    Raises:
        UnknownMinistack: it deploys one of them by itself.
    """
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS
    for kind, resource_type in _TYPES.items():
        if kind in handlers:
            raise UnknownMinistack(f"ministack deploys {kind} by itself; athena/resource_types.py must no longer")
        handlers[kind] = resource_type.handler(actions, provisioners)

    def delete_work_group(name: str, properties: Properties) -> None:
        try:
            actions["GetWorkGroup"]({"WorkGroup": name})
        except AwsError:
            return
        recursive = str(properties.get("RecursiveDeleteOption", False)).lower() == "true"
        _call(actions, "DeleteWorkGroup", {"WorkGroup": name, "RecursiveDeleteOption": recursive})

    handlers["AWS::Athena::WorkGroup"]["delete"] = delete_work_group


def _call(actions: Mapping[str, Answer], action: str, request: Properties) -> dict[str, Any]:
    try:
        return actions[action](dict(request))
    except AwsError as error:
        raise ValueError(f"Invalid request provided: {error.message} (Service: Athena)") from None
