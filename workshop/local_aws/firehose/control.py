"""Firehose's control plane as AWS runs it: what it refuses, and what it tells of a stream.

ministack keeps the streams, whether the API makes them or its CloudFormation does. What is here takes the places of
some of its functions, so that both ways lead through the same checks and to the same description.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from inspect import signature
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from workshop.local_aws.constraints import violations
from workshop.local_aws.firehose import rules
from workshop.local_aws.firehose.configuration import Configuration, KinesisSource, UnsupportedStreamError
from workshop.local_aws.firehose.extraction import UnsupportedQueryError
from workshop.local_aws.late import PROVISIONERS, when_imported
from workshop.local_aws.overlay import UnknownMinistack
from workshop.local_aws.protocol import AwsError

Answer = tuple[int, Any, bytes]
Handler = Callable[[dict[str, Any]], Answer]

_DEFAULT_HINTS = {"SizeInMBs": 5, "IntervalInSeconds": 300}
_CONVERSION_HINTS = {"SizeInMBs": 128, "IntervalInSeconds": 300}
# What API_S3DestinationDescription has of an ExtendedS3DestinationDescription.
_PLAIN = (
    *("RoleARN", "BucketARN", "Prefix", "ErrorOutputPrefix", "BufferingHints", "CompressionFormat"),
    *("EncryptionConfiguration", "CloudWatchLoggingOptions"),
)
# A change of one of them replaces the stream (CloudFormation guide, AWS::KinesisFirehose::DeliveryStream).
_REPLACING = (
    *("DeliveryStreamName", "DeliveryStreamType", "KinesisStreamSourceConfiguration"),
    *("MSKSourceConfiguration", "DatabaseSourceConfiguration"),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A delivery stream that reads a Kinesis data stream."""

    account: str
    region: str
    name: str
    created: float
    source: KinesisSource


def install(on_kinesis_record: Callable[[], None]) -> None:
    """Take the places of ministack's functions; `on_kinesis_record` is called whenever a data stream gets one.

    Raises:
        UnknownMinistack: a function is not the one that this was written for.
    """
    from ministack.services import firehose

    for function, parameters in (
        (firehose._create_delivery_stream, ("data",)),
        (firehose._update_destination, ("data",)),
        (firehose._start_delivery_stream_encryption, ("data",)),
        (firehose._dest_description, ("dest",)),
        (firehose.ingest_from_kinesis_source, ("stream_arn", "records")),
    ):
        _expect(function, *parameters)

    steps: dict[str, Callable[[dict[str, Any]], None]] = {
        "CreateDeliveryStream": _prepare_creation,
        "UpdateDestination": _prepare_update,
        "StartDeliveryStreamEncryption": _prepare_encryption,
    }
    for action, handler in list(firehose._HANDLERS.items()):
        firehose._HANDLERS[action] = _checked(action, handler, steps.get(action, lambda _: None))
    # CloudFormation calls this one by its name.
    firehose._create_delivery_stream = firehose._HANDLERS["CreateDeliveryStream"]
    firehose._dest_description = described_destination
    # ministack would write an object for every record, at once.
    firehose.ingest_from_kinesis_source = lambda *_: on_kinesis_record()
    when_imported(PROVISIONERS, _install_in_templates)


def _install_in_templates() -> None:
    from ministack.services.cloudformation import provisioners

    update = provisioners._firehose_delivery_stream_update
    _expect(update, "physical_id", "old_props", "new_props", "stack_name")
    provisioners._RESOURCE_HANDLERS["AWS::KinesisFirehose::DeliveryStream"]["update"] = _updated_by_template(update)


def _expect(function: Callable[..., Any], *parameters: str) -> None:
    if tuple(signature(function).parameters) != parameters:
        raise UnknownMinistack(
            f"ministack's {function.__name__} has other parameters than {', '.join(parameters)}; "
            "workshop/local_aws/firehose/control.py has to follow it"
        )


def readings() -> list[Reading]:
    """Return the delivery streams that read a Kinesis data stream."""
    from ministack.services import firehose

    return [
        Reading(
            account,
            region,
            name,
            stream["created_at"],
            KinesisSource(
                stream["kinesis_source"]["KinesisStreamARN"],
                datetime.fromtimestamp(stream["kinesis_source"]["DeliveryStartTimestamp"], UTC),
            ),
        )
        for (account, region, name), stream in list(firehose._streams._data.items())
        if stream["type"] == "KinesisStreamAsSource" and stream["kinesis_source"]
    ]


def described_destination(destination: Mapping[str, Any]) -> dict[str, Any]:
    """Return a DestinationDescription with all that was configured, and the API reference's defaults for the rest.

    A stream to S3 is described twice, as AWS does it for clients that are older than ExtendedS3DestinationDescription.
    """
    if destination["type"] not in ("ExtendedS3", "S3"):
        return {
            "DestinationId": destination["id"],
            f"{destination['type']}DestinationDescription": destination["config"],
        }
    extended = _described(destination["config"])
    return {
        "DestinationId": destination["id"],
        "S3DestinationDescription": {name: extended[name] for name in _PLAIN if name in extended},
        "ExtendedS3DestinationDescription": extended,
    }


def _described(config: Mapping[str, Any]) -> dict[str, Any]:
    conversion = config.get("DataFormatConversionConfiguration")
    hints = _CONVERSION_HINTS if conversion and conversion.get("Enabled", True) else _DEFAULT_HINTS
    described = {
        "Prefix": "",
        "ErrorOutputPrefix": "",
        "CompressionFormat": "UNCOMPRESSED",
        "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        "CloudWatchLoggingOptions": {"Enabled": False},
        "ProcessingConfiguration": {"Enabled": False, "Processors": []},
        "S3BackupMode": "Disabled",
        **config,
        "BufferingHints": hints | config.get("BufferingHints", {}),
    }
    if backup := described.pop("S3BackupConfiguration", None):
        described["S3BackupDescription"] = {name: value for name, value in _described(backup).items() if name in _PLAIN}
    return described


def _checked(action: str, handler: Handler, prepare: Callable[[dict[str, Any]], None]) -> Handler:
    """Put the service model's constraints and a step before one of ministack's functions."""
    if action in ("PutRecord", "PutRecordBatch"):
        return handler

    def checked(data: dict[str, Any]) -> Answer:
        from ministack.core.responses import error_response_json

        try:
            request = _checked_request(action, data)
            prepare(request)
        except AwsError as error:
            refusal: Answer = error_response_json(error.error_type, error.message, error.status)
            return refusal
        return handler(request)

    return checked


@cache
def _model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("firehose", "service-2"), "firehose")


def _checked_request(action: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request with what its shape knows of it. Raises AwsError, a ValidationException."""
    request: dict[str, Any] = _typed(_model().operation_model(action).input_shape, data)
    if problem := violations("firehose", action, request):
        raise AwsError("ValidationException", problem)
    return request


def _typed(shape: Shape | None, value: Any) -> Any:
    """Return a value with the types and members of its shape: templates write numbers and booleans as texts too."""
    match shape, value:
        case StructureShape(), dict():
            known = {name: each for name, each in value.items() if name in shape.members and each is not None}
            return {name: _typed(shape.members[name], each) for name, each in known.items()}
        case ListShape(), list():
            return [_typed(shape.member, each) for each in value]
        case Shape(type_name="boolean"), str() if value.lower() in ("true", "false"):
            return value.lower() == "true"
        case Shape(type_name="integer"), str() if value.isdecimal():
            return int(value)
        case Shape(type_name="string"), bool():
            return str(value).lower()
        case Shape(type_name="string"), int() | float():
            return str(value)
    return value


def _prepare_creation(request: dict[str, Any]) -> None:
    from ministack.services import firehose

    name = request["DeliveryStreamName"]
    if name in firehose._streams:
        return  # ministack says so
    _as_extended(request, "Configuration")
    kind = request.setdefault("DeliveryStreamType", "DirectPut")
    if kind == "KinesisStreamAsSource":
        if "KinesisStreamSourceConfiguration" not in request:
            raise AwsError(
                "InvalidArgumentException",
                "KinesisStreamSourceConfiguration must be given when DeliveryStreamType is KinesisStreamAsSource.",
            )
        if "DeliveryStreamEncryptionConfigurationInput" in request:
            raise _unencrypted_source()
    _check(name, kind, request.get("ExtendedS3DestinationConfiguration"), before=None)


def _prepare_update(request: dict[str, Any]) -> None:
    from ministack.services import firehose

    stream = firehose._streams.get(request["DeliveryStreamName"])
    if stream is None or str(stream["version"]) != request["CurrentDeliveryStreamVersionId"]:
        return  # ministack says so
    _as_extended(request, "Update")
    update = request.get("ExtendedS3DestinationUpdate")
    if update is None:
        raise AwsError(
            "InvalidArgumentException", "ExtendedS3DestinationUpdate must be given: only S3 is supported here."
        )
    if "S3BackupUpdate" in update:
        update["S3BackupConfiguration"] = update.pop("S3BackupUpdate")
    for destination in stream["destinations"]:
        if destination["id"] == request["DestinationId"]:
            before = destination["config"]
            _check(stream["name"], stream["type"], {**before, **update}, before=before)


def _prepare_encryption(request: dict[str, Any]) -> None:
    from ministack.services import firehose

    stream = firehose._streams.get(request["DeliveryStreamName"])
    if stream and stream["type"] != "DirectPut":
        raise _unencrypted_source()


def _unencrypted_source() -> AwsError:
    """API_StartDeliveryStreamEncryption: "You can only enable SSE for a Firehose stream that uses DirectPut"."""
    return AwsError(
        "InvalidArgumentException", "SSE can be enabled only for a stream that uses DirectPut as its source."
    )


def _as_extended(request: dict[str, Any], suffix: str) -> None:
    """Take the older form of an S3 destination for the newer one, which has all of its fields."""
    plain = request.pop(f"S3Destination{suffix}", None)
    if plain is not None:
        request.setdefault(f"ExtendedS3Destination{suffix}", plain)


def _check(name: str, kind: str, config: Mapping[str, Any] | None, *, before: Mapping[str, Any] | None) -> None:
    """Refuse what AWS refuses, and what is not done here: better at deployment than when records have come."""
    now = datetime.now(UTC)
    description: dict[str, Any] = {
        "DeliveryStreamName": name,
        "DeliveryStreamARN": "arn:aws:firehose:us-east-1:000000000000:deliverystream/checked",
        "DeliveryStreamType": kind,
        "VersionId": "1",
        "CreateTimestamp": now,
        "Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": "", "DeliveryStartTimestamp": now}},
        "Destinations": [{"ExtendedS3DestinationDescription": _described(config)}] if config else [],
    }
    try:
        if config:
            rules.check(config, before=before)
        Configuration.read(description)
    except (UnsupportedStreamError, UnsupportedQueryError) as error:
        raise AwsError("InvalidArgumentException", str(error)) from error


def _updated_by_template(replace: Callable[..., Any]) -> Callable[..., Any]:
    """Return how a changed template changes a stream: as UpdateDestination, or by another stream in its place."""

    def update(name: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> tuple[str, dict[str, str]]:
        from ministack.services import firehose

        stream = firehose._streams.get(name)
        if stream is None or any(old.get(each) != new.get(each) for each in _REPLACING):
            answer: tuple[str, dict[str, str]] = replace(name, old, new, stack)
            return answer
        try:
            request = _checked_request("CreateDeliveryStream", {**new, "DeliveryStreamName": name})
            _as_extended(request, "Configuration")
            [destination] = stream["destinations"]
            config = request.get("ExtendedS3DestinationConfiguration")
            _check(name, stream["type"], config, before=destination["config"])
        except AwsError as error:
            raise ValueError(f"AWS::KinesisFirehose::DeliveryStream: {error.message}") from error
        stream["tags"] = {tag["Key"]: tag.get("Value", "") for tag in request.get("Tags", [])}
        if config != destination["config"]:
            destination["config"] = config
            stream["version"] += 1
            stream["updated_at"] = firehose.now_epoch()
        return name, {"Arn": stream["arn"]}

    return update
