"""Athena's control plane over ministack's stores: work groups, saved queries, prepared statements, data catalogues.

Where AWS's documentation is silent on a refusal's words, they are those that users report; the types are documented.
"""

import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import uuid4

from workshop.local_aws.athena.catalogs import AWS_DATA_CATALOG, invalid, page_of
from workshop.local_aws.constraints import violations
from workshop.local_aws.overlay import Answer, overlay
from workshop.local_aws.protocol import AwsError, Caller

PRIMARY: Final = "primary"
ENGINE: Final = "Athena engine version 3"
MOST_STATEMENTS: Final = 1000  # https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
MOST_TAGS: Final = 50

Store = MutableMapping[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What is kept, by name or id; a prepared statement by `{work group}/{name}`, tags by ARN."""

    work_groups: Store
    named_queries: Store
    prepared_statements: Store
    data_catalogs: Store
    tags: Store


class Control:
    """The actions; each takes a request's body and returns the answer's."""

    def __init__(
        self,
        stores: Stores,
        *,
        arn: Callable[[str], str],
        has_run_queries: Callable[[str], bool],
        now: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        """Keep what is created in `stores`.

        `arn` returns the ARN of a resource such as `workgroup/primary`; `has_run_queries` tells whether a work group
        has a query history; `now` returns seconds since 1970.
        """
        self._stores = stores
        self._arn = arn
        self._has_run_queries = has_run_queries
        self._now = now
        self._new_id = new_id
        actions: dict[str, Answer] = {
            "CreateWorkGroup": self.create_work_group,
            "GetWorkGroup": self.get_work_group,
            "ListWorkGroups": self.list_work_groups,
            "UpdateWorkGroup": self.update_work_group,
            "DeleteWorkGroup": self.delete_work_group,
            "ListEngineVersions": self.list_engine_versions,
            "CreateNamedQuery": self.create_named_query,
            "GetNamedQuery": self.get_named_query,
            "BatchGetNamedQuery": self.batch_get_named_query,
            "ListNamedQueries": self.list_named_queries,
            "UpdateNamedQuery": self.update_named_query,
            "DeleteNamedQuery": self.delete_named_query,
            "CreatePreparedStatement": self.create_prepared_statement,
            "GetPreparedStatement": self.get_prepared_statement,
            "BatchGetPreparedStatement": self.batch_get_prepared_statement,
            "ListPreparedStatements": self.list_prepared_statements,
            "UpdatePreparedStatement": self.update_prepared_statement,
            "DeletePreparedStatement": self.delete_prepared_statement,
            "CreateDataCatalog": self.create_data_catalog,
            "GetDataCatalog": self.get_data_catalog,
            "ListDataCatalogs": self.list_data_catalogs,
            "UpdateDataCatalog": self.update_data_catalog,
            "DeleteDataCatalog": self.delete_data_catalog,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTagsForResource": self.list_tags_for_resource,
        }
        self.actions: Mapping[str, Answer] = {name: _checked(name, answer) for name, answer in actions.items()}

    # ---- work groups ---------------------------------------------------------------------------------------------

    def create_work_group(self, request: dict[str, Any]) -> dict[str, Any]:
        """Create a work group, by default one whose settings override those of the client."""
        name = request["Name"]
        if name == PRIMARY:
            raise invalid("primary workGroup could not be created")
        if name in self._stores.work_groups:
            raise invalid("WorkGroup is already created")
        self._stores.work_groups[name] = {
            "Name": name,
            "State": "ENABLED",
            "Description": request.get("Description", ""),
            "CreationTime": self._now(),
            "Configuration": request.get("Configuration") or {},
        }
        self._set_tags(self._arn(f"workgroup/{name}"), request)
        return {}

    def get_work_group(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describe a work group with what it does not set itself."""
        group = self._work_group(request["WorkGroup"])
        return {"WorkGroup": {**group, "Configuration": _configuration(group)}}

    def list_work_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        """List the work groups by name."""
        groups = [self._stores.work_groups[name] for name in sorted(self._stores.work_groups)]
        shown = ("Name", "State", "Description", "CreationTime")
        listed = [
            {key: group[key] for key in shown if key in group}
            | {"EngineVersion": _configuration(group)["EngineVersion"]}
            for group in groups
        ]
        return page_of("WorkGroups", listed, request)

    def update_work_group(self, request: dict[str, Any]) -> dict[str, Any]:
        """Change what a request names of a work group, and take away what it says to remove."""
        group = self._work_group(request["WorkGroup"])
        group.update({key: request[key] for key in ("Description", "State") if key in request})
        group["Configuration"] = _updated(group.get("Configuration") or {}, request.get("ConfigurationUpdates") or {})
        return {}

    def delete_work_group(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete a work group that holds nothing, or with all it holds.

        https://docs.aws.amazon.com/athena/latest/APIReference/API_DeleteWorkGroup.html counts query executions too.
        """
        name = request["WorkGroup"]
        if name == PRIMARY:
            raise invalid("primary workGroup could not be deleted")
        self._work_group(name)
        queries = [key for key, query in self._stores.named_queries.items() if query["WorkGroup"] == name]
        statements = [key for key in self._stores.prepared_statements if key.partition("/")[0] == name]
        if not request.get("RecursiveDeleteOption") and (queries or statements or self._has_run_queries(name)):
            raise invalid(f"WorkGroup {name} is not empty")
        for key in queries:
            del self._stores.named_queries[key]
        for key in statements:
            del self._stores.prepared_statements[key]
        del self._stores.work_groups[name]
        self._stores.tags.pop(self._arn(f"workgroup/{name}"), None)
        return {}

    def list_engine_versions(self, request: dict[str, Any]) -> dict[str, Any]:
        """List the engine versions a work group may select here."""
        return page_of("EngineVersions", [_engine("AUTO"), _engine(ENGINE)], request, most=10)

    # ---- named queries -------------------------------------------------------------------------------------------

    def create_named_query(self, request: dict[str, Any]) -> dict[str, Any]:
        """Save a query; the same request with the same token saves it once."""
        token = request.get("ClientRequestToken")
        query: dict[str, Any] = {
            key: request[key] for key in ("Name", "Description", "Database", "QueryString") if key in request
        }
        query["WorkGroup"] = request.get("WorkGroup") or PRIMARY
        self._work_group(query["WorkGroup"])
        for known, saved in self._stores.named_queries.items():
            if token and saved.get("ClientRequestToken") == token:
                if any(saved.get(key) != value for key, value in query.items()):
                    raise invalid("Idempotent parameters do not match")
                return {"NamedQueryId": known}
        new_id = self._new_id()
        self._stores.named_queries[new_id] = {**query, "NamedQueryId": new_id, "ClientRequestToken": token}
        return {"NamedQueryId": new_id}

    def get_named_query(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describe a saved query."""
        return {"NamedQuery": _shown_query(self._named_query(request))}

    def batch_get_named_query(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describe up to 50 saved queries; those that are not there are listed apart."""
        ids, queries = request["NamedQueryIds"], self._stores.named_queries
        return {
            "NamedQueries": [_shown_query(queries[each]) for each in ids if each in queries],
            "UnprocessedNamedQueryIds": [
                {"NamedQueryId": each, "ErrorCode": "INVALID_INPUT", "ErrorMessage": _no_query(each)}
                for each in ids
                if each not in queries
            ],
        }

    def list_named_queries(self, request: dict[str, Any]) -> dict[str, Any]:
        """List the saved queries of one work group, the primary one unless another is named."""
        group = request.get("WorkGroup") or PRIMARY
        self._work_group(group)
        ids = [key for key, query in self._stores.named_queries.items() if query["WorkGroup"] == group]
        return page_of("NamedQueryIds", ids, request)

    def update_named_query(self, request: dict[str, Any]) -> dict[str, Any]:
        """Change a saved query's name, text and description; not its database or work group."""
        self._named_query(request).update(
            {key: request[key] for key in ("Name", "Description", "QueryString") if key in request}
        )
        return {}

    def delete_named_query(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete a saved query."""
        del self._stores.named_queries[self._named_query(request)["NamedQueryId"]]
        return {}

    # ---- prepared statements -------------------------------------------------------------------------------------

    def create_prepared_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        """Create a prepared statement; its text is not parsed before it runs."""
        group, name = request["WorkGroup"], request["StatementName"]
        self._work_group(group)
        kept = [key for key in self._stores.prepared_statements if key.partition("/")[0] == group]
        if f"{group}/{name}" in kept:
            raise invalid(f"PreparedStatement {name} already exists in workGroup {group}")
        if len(kept) >= MOST_STATEMENTS:
            raise invalid(f"WorkGroup {group} holds {MOST_STATEMENTS} prepared statements, the most there may be")
        self._stores.prepared_statements[f"{group}/{name}"] = {
            "StatementName": name,
            "WorkGroupName": group,
            **self._statement_of(request),
        }
        return {}

    def get_prepared_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describe a prepared statement."""
        return {"PreparedStatement": self._prepared_statement(request)}

    def batch_get_prepared_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describe prepared statements by name; those that are not there are listed apart."""
        group, names = request["WorkGroup"], request["PreparedStatementNames"]
        self._work_group(group)
        statements = {name: self._stores.prepared_statements.get(f"{group}/{name}") for name in names}
        return {
            "PreparedStatements": [statement for statement in statements.values() if statement],
            "UnprocessedPreparedStatementNames": [
                {
                    "StatementName": name,
                    # https://docs.aws.amazon.com/athena/latest/APIReference/API_UnprocessedPreparedStatementName.html
                    "ErrorCode": "STATEMENT_NOT_FOUND",
                    "ErrorMessage": _no_statement(name, group),
                }
                for name, statement in statements.items()
                if not statement
            ],
        }

    def list_prepared_statements(self, request: dict[str, Any]) -> dict[str, Any]:
        """List a work group's prepared statements by name."""
        group = request["WorkGroup"]
        self._work_group(group)
        listed = [
            {key: statement[key] for key in ("StatementName", "LastModifiedTime")}
            for key, statement in sorted(self._stores.prepared_statements.items())
            if key.partition("/")[0] == group
        ]
        return page_of("PreparedStatements", listed, request)

    def update_prepared_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        """Replace a prepared statement's text."""
        statement = self._prepared_statement(request)
        statement.update(self._statement_of(request))
        return {}

    def delete_prepared_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete a prepared statement."""
        statement = self._prepared_statement(request)
        del self._stores.prepared_statements[f"{statement['WorkGroupName']}/{statement['StatementName']}"]
        return {}

    # ---- data catalogues -----------------------------------------------------------------------------------------

    def create_data_catalog(self, request: dict[str, Any]) -> dict[str, Any]:
        """Register a data catalogue; statements read those of type GLUE alone."""
        name, kind, parameters = request["Name"], request["Type"], request.get("Parameters") or {}
        if self._stored_catalog(name):
            raise invalid(f"DataCatalog {name} already exists")
        if kind == "FEDERATED":
            raise invalid("A data catalog of type FEDERATED is not supported by the embedded Athena")
        if kind == "GLUE" and "catalog-id" not in parameters:
            raise invalid("A data catalog of type GLUE needs the parameter catalog-id")
        self._stores.data_catalogs[name] = {
            "Name": name,
            "Type": kind,
            "Description": request.get("Description", ""),
            "Parameters": parameters,
        }
        self._set_tags(self._arn(f"datacatalog/{name}"), request)
        return {"DataCatalog": self._data_catalog(name)}

    def get_data_catalog(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describe a data catalogue."""
        return {"DataCatalog": self._data_catalog(request["Name"])}

    def list_data_catalogs(self, request: dict[str, Any]) -> dict[str, Any]:
        """List the data catalogues."""
        catalogs = self._stores.data_catalogs.values()
        return page_of(
            "DataCatalogsSummary", [{"CatalogName": c["Name"], "Type": c["Type"]} for c in catalogs], request
        )

    def update_data_catalog(self, request: dict[str, Any]) -> dict[str, Any]:
        """Change what a request names of a data catalogue."""
        self._data_catalog(request["Name"]).update(
            {key: request[key] for key in ("Type", "Description", "Parameters") if key in request}
        )
        return {}

    def delete_data_catalog(self, request: dict[str, Any]) -> dict[str, Any]:
        """Forget a data catalogue; Glue's own cannot be."""
        catalog = self._data_catalog(request["Name"])
        if catalog["Name"].lower() == AWS_DATA_CATALOG:
            raise invalid(f"DataCatalog {catalog['Name']} cannot be deleted")
        del self._stores.data_catalogs[catalog["Name"]]
        self._stores.tags.pop(self._arn(f"datacatalog/{catalog['Name']}"), None)
        return {"DataCatalog": catalog}

    # ---- tags ----------------------------------------------------------------------------------------------------

    def tag_resource(self, request: dict[str, Any]) -> dict[str, Any]:
        """Add tags to a work group or data catalogue, or replace their values."""
        self._set_tags(self._taggable(request), request)
        return {}

    def untag_resource(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take tags away; those that are not there are no error."""
        tags = self._stores.tags.get(self._taggable(request), {})
        for key in request["TagKeys"]:
            tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, request: dict[str, Any]) -> dict[str, Any]:
        """List the tags of a work group or data catalogue."""
        tags = self._stores.tags.get(self._taggable(request), {})
        return page_of("Tags", [{"Key": key, "Value": value} for key, value in tags.items()], request, most=75)

    # ---- what is there -------------------------------------------------------------------------------------------

    def _work_group(self, name: str) -> dict[str, Any]:
        group = self._stores.work_groups.get(name)
        if group is None:
            raise invalid("WorkGroup is not found.")
        return group

    def _named_query(self, request: Mapping[str, Any]) -> dict[str, Any]:
        query = self._stores.named_queries.get(request["NamedQueryId"])
        if query is None:
            raise invalid(_no_query(request["NamedQueryId"]))
        return query

    def _prepared_statement(self, request: Mapping[str, Any]) -> dict[str, Any]:
        group, name = request["WorkGroup"], request["StatementName"]
        self._work_group(group)
        statement = self._stores.prepared_statements.get(f"{group}/{name}")
        if statement is None:
            raise AwsError("ResourceNotFoundException", _no_statement(name, group), ResourceName=name)
        return statement

    def _statement_of(self, request: Mapping[str, Any]) -> dict[str, Any]:
        described = {key: request[key] for key in ("QueryStatement", "Description") if key in request}
        return {**described, "LastModifiedTime": self._now()}

    def _stored_catalog(self, name: str) -> dict[str, Any] | None:
        if name.lower() == AWS_DATA_CATALOG:
            name = "AwsDataCatalog"
        return self._stores.data_catalogs.get(name)

    def _data_catalog(self, name: str) -> dict[str, Any]:
        catalog = self._stored_catalog(name)
        if catalog is None:
            raise invalid(f"DataCatalog {name} was not found")
        return catalog

    def _taggable(self, request: Mapping[str, Any]) -> str:
        arn: str = request["ResourceARN"]
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if self._arn(f"{kind}/{name}") != arn or kind not in ("workgroup", "datacatalog"):
            raise invalid(f"{arn} is not the ARN of a work group or data catalog of this account and region")
        if name not in (self._stores.work_groups if kind == "workgroup" else self._stores.data_catalogs):
            raise AwsError("ResourceNotFoundException", f"{arn} was not found", ResourceName=arn)
        return arn

    def _set_tags(self, arn: str, request: Mapping[str, Any]) -> None:
        tags = self._stores.tags.get(arn, {}) | {tag["Key"]: tag.get("Value", "") for tag in request.get("Tags") or []}
        if len(tags) > MOST_TAGS:
            raise invalid(f"{arn} would have {len(tags)} tags; {MOST_TAGS} is the most")
        self._stores.tags[arn] = tags


def _checked(operation: str, answer: Answer) -> Answer:
    def checked(request: dict[str, Any]) -> dict[str, Any]:
        if wrong := violations("athena", operation, request):
            raise invalid(wrong)
        return answer(request)

    return checked


def _no_query(query_id: str) -> str:
    return f"NamedQuery {query_id} does not exist"


def _no_statement(name: str, group: str) -> str:
    return f"PreparedStatement {name} was not found in workGroup {group}"


def _shown_query(query: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in query.items() if key != "ClientRequestToken"}


def _engine(selected: str) -> dict[str, str]:
    return {"SelectedEngineVersion": selected, "EffectiveEngineVersion": ENGINE}


def _configuration(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a work group's settings with the defaults that moto recorded of AWS (getmoto/moto #7887)."""
    own = group.get("Configuration") or {}
    return {
        "EnforceWorkGroupConfiguration": group["Name"] != PRIMARY,
        "EnableMinimumEncryptionConfiguration": False,
        "PublishCloudWatchMetricsEnabled": False,
        "RequesterPaysEnabled": False,
        **own,
        "EngineVersion": _engine((own.get("EngineVersion") or {}).get("SelectedEngineVersion") or "AUTO"),
    }


def _updated(settings: Mapping[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings after updates: `Remove{key}` takes a key away, `{key}Updates` changes what is inside it."""
    result = dict(settings)
    for name, value in updates.items():
        if name.startswith("Remove"):
            if value:
                result.pop(name.removeprefix("Remove"), None)
        elif name.endswith("Updates"):
            key = name.removesuffix("Updates")
            result[key] = _updated(result.get(key) or {}, value)
        else:
            result[name] = value
    return result


def install(has_run_queries: Callable[[Caller, str], bool]) -> None:
    """Have ministack answer these actions as AWS does, and its CloudFormation deploy what they create.

    `has_run_queries` tells whether a work group of an account and region has a query history; it is asked on the
    server's own loop, so it must not call the server.
    """
    from ministack.services import athena

    from workshop.local_aws.athena.resource_types import register
    from workshop.local_aws.late import PROVISIONERS, when_imported

    def arn(resource: str) -> str:
        return f"arn:aws:athena:{athena.get_region()}:{athena.get_account_id()}:{resource}"

    control = Control(
        Stores(
            work_groups=athena._workgroups,
            named_queries=athena._named_queries,
            prepared_statements=athena._prepared_statements,
            data_catalogs=athena._data_catalogs,
            tags=athena._tags,
        ),
        arn=arn,
        has_run_queries=lambda group: has_run_queries(Caller(athena.get_account_id(), athena.get_region()), group),
    )

    def seeded(answer: Answer) -> Answer:
        def answered(request: dict[str, Any]) -> dict[str, Any]:
            # Every account has these in every region; ministack makes them when they are first asked for.
            athena._ensure_default_workgroup()
            athena._ensure_default_data_catalog()
            return answer(request)

        return answered

    actions = {name: seeded(answer) for name, answer in control.actions.items()}
    overlay(athena, actions)
    # Only then: what imports them may be waiting for this function to return.
    when_imported(PROVISIONERS, partial(register, actions))
