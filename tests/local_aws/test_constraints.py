"""Requests are checked by the models that AWS publishes."""

import pytest

from workshop.local_aws.constraints import violations


@pytest.mark.parametrize(
    ("operation", "request_", "wrong"),
    [
        ("GetWorkGroup", {"WorkGroup": "primary"}, None),
        ("GetWorkGroup", {}, "Value null at 'workGroup' failed to satisfy constraint: Member must not be null"),
        ("ListWorkGroups", {"MaxResults": 51}, "Member must have value less than or equal to 50"),
        ("BatchGetNamedQuery", {"NamedQueryIds": []}, "Member must have length greater than or equal to 1"),
        ("BatchGetNamedQuery", {"NamedQueryIds": ["a b"]}, "Value 'a b' at 'namedQueryIds.1.member' failed"),
        ("UpdateWorkGroup", {"WorkGroup": "w", "State": "OFF"}, "satisfy enum value set: [ENABLED, DISABLED]"),
        ("GetDataCatalog", {"Name": "grün 😀"}, None),
        ("GetDataCatalog", {"Name": "a\x01"}, "Member must satisfy regular expression pattern"),
        (
            "UpdateWorkGroup",
            {"WorkGroup": "w", "ConfigurationUpdates": {"BytesScannedCutoffPerQuery": 1}},
            "Value '1' at 'configurationUpdates.bytesScannedCutoffPerQuery' failed to satisfy constraint: "
            "Member must have value greater than or equal to 10000000",
        ),
        ("CreateWorkGroup", {"Name": "", "Description": "d" * 1025}, "2 validation errors detected: "),
    ],
)
def test_what_is_wrong_with_a_request(operation: str, request_: dict[str, object], wrong: str | None) -> None:
    said = violations("athena", operation, request_)
    if wrong is None:
        assert said is None
    else:
        assert said is not None
        assert wrong in said
