"""PutRecord and PutRecordBatch with the limits and errors of the API reference, in front of the deployed streams."""

import base64
import binascii
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError

from workshop.local_aws.clients import ROOT, Credentials, client
from workshop.local_aws.firehose.configuration import Configuration, Conversion, UnsupportedStreamError
from workshop.local_aws.firehose.destination import Destination, TableNotFoundError, UndeliverableError
from workshop.local_aws.firehose.journal import Journal
from workshop.local_aws.firehose.processor import Processor, lambda_invoke
from workshop.local_aws.firehose.records import Record
from workshop.local_aws.firehose.stream import HEADROOM, Backlog, DeliveryStream, OutOfPatienceError
from workshop.local_aws.protocol import Action, AwsError, Caller

RECORDS_LIMIT = 500
RECORD_LIMIT = 1_000 * 1024
CALL_LIMIT = 4 * (1 << 20)
"""Records of a call, bytes of a record and of a call, before base64 (API reference, "API_PutRecordBatch")."""

DESCRIPTION_LIFETIME = 1.0
"""Seconds for which a deleted stream may still accept records, and a new version of one goes unnoticed."""

CLOSING_PATIENCE = 20.0
"""Seconds that `close` keeps trying while something fails; a delivery that makes progress may take longer."""

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 30.0
_SLOW_DOWN = ("ServiceUnavailableException", "Slow down.")


class Firehose:
    """The data plane of Amazon Data Firehose, for the streams that are deployed at an endpoint."""

    target_prefix = "Firehose_20150804"

    def __init__(
        self,
        endpoint: str,
        journals: Path,
        interval_factor: float = 1.0,
        *,
        headroom: int = HEADROOM,
        now: Callable[[], float] = time.time,
        on_new_stream: Callable[[], None] = lambda: None,
        credentials_of: Callable[[str], Credentials] = lambda _role: ROOT,
    ) -> None:
        """Serve the streams of the AWS at `endpoint`, and keep what they have accepted in the folder `journals`.

        `interval_factor` multiplies every buffering interval: with 0.02 a stream that was deployed to deliver every
        300 seconds does so every 6. Sizes stay. `headroom` bounds, in bytes, what a stream may fall behind before
        producers are told to slow down. `on_new_stream` is called before a stream accepts its first record: what
        survives a kill is of use only if the stream itself does. `credentials_of` returns those of a role by ARN: what
        a stream does, it does with its role.
        """
        self.actions: Mapping[str, Action] = {"PutRecord": self._put_record, "PutRecordBatch": self._put_record_batch}
        self._endpoint = endpoint
        self._journals = journals
        self._on_new_stream = on_new_stream
        self._interval_factor = interval_factor
        self._headroom = headroom
        self._now = now
        self._credentials_of = credentials_of
        self._destination = Destination(self._put_object, self._columns, now, lambda: str(uuid.uuid4()))
        self._streams: dict[tuple[str, str], tuple[float, DeliveryStream]] = {}  # with the time each was described
        self._retired: list[DeliveryStream] = []
        self._describing = threading.Lock()
        self._closing = threading.Event()
        self._give_up_at = float("inf")

    def backlog(self) -> dict[str, Backlog]:
        """Return what waits to be delivered, by stream name."""
        return {name: stream.backlog() for (_, name), (_, stream) in self._streams.copy().items()}

    def flush(self) -> None:
        """Process and deliver all that is buffered, however little or young; raise what fails."""
        for _, stream in self._streams.copy().values():
            stream.flush()

    def resume(self) -> None:
        """Go on with what the last server accepted and did not deliver.

        A stream that was deleted since is emptied if that succeeds at once: DeleteDeliveryStream "deletes a delivery
        stream and its data" (API reference).
        """
        for file in sorted(self._journals.glob("*/stream.json")):
            try:
                self._resume(json.loads(file.read_text(encoding="utf-8"), object_hook=_datetime))
            except Exception:
                log.exception("What is in %s cannot be delivered", file.parent)

    def close(self) -> None:
        """Accept nothing more, deliver what is buffered and stop the threads; what is left stays in the journals."""
        self._give_up_at = time.monotonic() + CLOSING_PATIENCE
        self._closing.set()
        with self._describing:
            streams = [stream for _, stream in self._streams.values()] + self._retired
        for stream in streams:
            stream.drain()
        for stream in streams:
            stream.join()

    def _put_record(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        name = _stream_name(request)
        data = _blobs([request.get("Record")], "record")
        stream = self._put_to(caller, name)
        ids = self._accept(stream, data)
        if not ids:
            raise AwsError(*_SLOW_DOWN, status=503)
        return {"RecordId": ids[0], "Encrypted": stream.configuration.encrypted}

    def _put_record_batch(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        name = _stream_name(request)
        records = request.get("Records")
        if not isinstance(records, list):
            raise _invalid_member("null", "records", "Member must not be null")
        if not 1 <= len(records) <= RECORDS_LIMIT:
            bound = f"less than or equal to {RECORDS_LIMIT}" if records else "greater than or equal to 1"
            raise _invalid_member(f"{len(records)} records", "records", f"Member must have length {bound}")
        data = _blobs(records, "records.{}.member")
        if sum(map(len, data)) > CALL_LIMIT:
            raise AwsError("InvalidArgumentException", "Records size exceeds 4 MB limit")
        stream = self._put_to(caller, name)
        ids = self._accept(stream, data)
        refused = len(data) - len(ids)
        code, message = _SLOW_DOWN
        return {
            "FailedPutCount": refused,
            "Encrypted": stream.configuration.encrypted,
            "RequestResponses": [{"RecordId": each} for each in ids]
            + [{"ErrorCode": code, "ErrorMessage": message}] * refused,
        }

    def take(self, caller: Caller, name: str, records: Sequence[Record]) -> int:
        """Take records that were read from a stream's source: as many from the front as there is room for."""
        return self._stream(caller, name).accept(records)

    def _put_to(self, caller: Caller, name: str) -> DeliveryStream:
        """Return a stream that producers may put to ("writing-with-kinesis-streams" and "API_PutRecord")."""
        stream = self._stream(caller, name)
        if stream.configuration.source:
            message = "This operation is not permitted on KinesisStreamAsSource delivery stream type."
            raise AwsError("InvalidArgumentException", message)
        if stream.configuration.processor and stream.configuration.processor.decompression:
            message = "Only requests from CloudWatch Logs are supported when CloudWatch Logs decompression is enabled."
            raise AwsError("InvalidSourceException", message)
        return stream

    def _accept(self, stream: DeliveryStream, data: Sequence[bytes]) -> list[str]:
        """Hand records to a stream and return the ids of those it took, which are the first ones."""
        arrived, call = self._now(), uuid.uuid4().hex
        records = [Record(f"{call}{index:04d}", each, arrived) for index, each in enumerate(data)]
        try:
            return [record.id for record in records[: stream.accept(records)]]
        except OSError as error:
            raise _unwritable(error) from error

    def _stream(self, caller: Caller, name: str) -> DeliveryStream:
        key = caller.region, name
        described = self._streams.get(key)
        if described is None or self._now() >= described[0] + DESCRIPTION_LIFETIME:
            with self._describing:
                described = self._streams.get(key)
                if described is None or self._now() >= described[0] + DESCRIPTION_LIFETIME:
                    described = self._look_again(key)
        if described is None:
            raise AwsError("ResourceNotFoundException", f"Firehose {name} under account {caller.account} not found.")
        return described[1]

    def _look_again(self, key: tuple[str, str]) -> tuple[float, DeliveryStream] | None:
        """Bring one stream up to date with what is deployed: start it, follow a new version, or let it run dry."""
        if self._closing.is_set():
            raise AwsError(*_SLOW_DOWN, status=503)
        try:
            description = self._description(key)
            configuration = Configuration.read(description) if description else None
        except UnsupportedStreamError as error:
            raise AwsError("InvalidArgumentException", str(error)) from error
        stream = self._streams[key][1] if key in self._streams else None
        if stream and (configuration is None or configuration.created != stream.configuration.created):
            self._retire(stream)
            del self._streams[key]
            stream = None
        if configuration is None or description is None:
            return None
        if stream is None:
            stream = self._open(configuration, description)
        else:
            stream.follow(configuration)
        self._streams[key] = self._now(), stream
        return self._streams[key]

    def _resume(self, description: dict[str, Any]) -> None:
        configuration = Configuration.read(description)
        key = configuration.region, configuration.name
        with self._describing:
            if self._closing.is_set():
                return
            deployed = self._describe(key)
            if deployed is None or deployed.created != configuration.created:
                self._retire(self._open(configuration, description))
            elif key not in self._streams:
                self._look_again(key)

    def _open(self, configuration: Configuration, description: Mapping[str, Any]) -> DeliveryStream:
        """Start a stream with its journal, in which its description is kept for when it is deleted."""
        created = configuration.created.astimezone(UTC)
        folder = self._journals / f"{configuration.region}.{configuration.name}.{created:%Y%m%dT%H%M%S.%f}"
        kept = folder / "stream.json"
        try:
            if not kept.exists():
                folder.mkdir(parents=True, exist_ok=True)
                draft = kept.with_suffix(".tmp")
                draft.write_text(json.dumps(description, default=_jsonable), encoding="utf-8")
                self._on_new_stream()
                draft.replace(kept)
            journal = Journal(folder)
        except OSError as error:
            raise _unwritable(error) from error
        role = self._credentials_of(configuration.role)
        stream = DeliveryStream(
            configuration,
            journal=journal,
            processor=Processor(
                lambda_invoke(lambda region: client("lambda", self._endpoint, region, role)),
                self._pause,
                lambda: str(uuid.uuid4()),
            ),
            destination=self._destination,
            describe=lambda: self._describe((configuration.region, configuration.name)),
            interval_factor=self._interval_factor,
            now=self._now,
            headroom=self._headroom,
        )
        stream.start(self._pause)
        return stream

    def _retire(self, stream: DeliveryStream) -> None:
        stream.retire()
        self._retired = [each for each in self._retired if each.is_running()] + [stream]

    def _describe(self, key: tuple[str, str]) -> Configuration | None:
        description = self._description(key)
        return Configuration.read(description) if description else None

    def _description(self, key: tuple[str, str]) -> dict[str, Any] | None:
        region, name = key
        firehose = client("firehose", self._endpoint, region)
        try:
            found: dict[str, Any] = firehose.describe_delivery_stream(DeliveryStreamName=name)
        except firehose.exceptions.ResourceNotFoundException:
            return None
        return found["DeliveryStreamDescription"]  # type: ignore[no-any-return]

    def _columns(self, conversion: Conversion, region: str) -> Sequence[Mapping[str, str]]:
        schema = conversion.schema
        role = self._credentials_of(schema.get("RoleARN", ""))
        glue = client("glue", self._endpoint, schema.get("Region") or region, role)
        table = {"DatabaseName": schema["DatabaseName"]}
        if schema.get("CatalogId"):
            table["CatalogId"] = schema["CatalogId"]
        version = schema.get("VersionId") or "LATEST"
        try:
            if version == "LATEST":
                found = glue.get_table(Name=schema["TableName"], **table)["Table"]
            else:
                answer = glue.get_table_version(TableName=schema["TableName"], VersionId=version, **table)
                found = answer["TableVersion"]["Table"]
        except glue.exceptions.EntityNotFoundException as error:
            raise TableNotFoundError(str(error)) from error
        columns: list[dict[str, str]] = found["StorageDescriptor"]["Columns"]
        return columns

    def _put_object(self, stream: Configuration, key: str, body: IO[bytes], keep_until: float) -> None:
        """Write an object, again and again while S3 refuses: the page "retry" lets nothing else happen to it."""
        wait = 0.1
        while True:
            body.seek(0)
            try:
                s3 = client("s3", self._endpoint, credentials=self._credentials_of(stream.role))
                s3.put_object(Bucket=stream.bucket, Key=key, Body=body)
                return
            except (BotoCoreError, ClientError) as error:
                if self._now() >= keep_until:
                    raise UndeliverableError(f"S3 has refused them for 24 hours. {error}") from error
                deployed = self._describe((stream.region, stream.name))
                if deployed is None or deployed.created != stream.created:
                    raise UndeliverableError(f"The stream was deleted, and S3 refuses them. {error}") from error
            self._pause(wait)
            wait = min(wait * 2, _LONGEST_PAUSE)

    def _pause(self, seconds: float) -> None:
        """Wait between attempts; while closing only shortly, and no longer than the patience lasts."""
        if self._closing.wait(seconds):
            if time.monotonic() >= self._give_up_at:
                raise OutOfPatienceError
            time.sleep(min(seconds, 0.2))


def _unwritable(error: OSError) -> AwsError:
    return AwsError("ServiceUnavailableException", f"The record cannot be kept: {error.strerror}", status=503)


def _jsonable(value: datetime) -> dict[str, str]:
    return {"datetime": value.isoformat()}


def _datetime(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value["datetime"]) if value.keys() == {"datetime"} else value


def _stream_name(request: Mapping[str, Any]) -> str:
    name = request.get("DeliveryStreamName")
    if not isinstance(name, str):
        raise _invalid_member("null", "deliveryStreamName", "Member must not be null")
    return name


def _blobs(records: Sequence[Any], member: str) -> list[bytes]:
    """Decode the records' data. `member` is where a record stands in the request, with {} for its number."""
    blobs = []
    for number, record in enumerate(records, 1):
        where = member.format(number) + ".data"
        data = record.get("Data") if isinstance(record, dict) else None
        if not isinstance(data, str):
            raise _invalid_member("null", where, "Member must not be null")
        try:
            blob = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise AwsError("SerializationException", f"{where} is not base64") from None
        if len(blob) > RECORD_LIMIT:
            shown = f"java.nio.HeapByteBuffer[pos=0 lim={len(blob)} cap={len(blob)}]"
            raise _invalid_member(shown, where, f"Member must have length less than or equal to {RECORD_LIMIT}")
        blobs.append(blob)
    return blobs


def _invalid_member(value: str, member: str, constraint: str) -> AwsError:
    """Word a violated constraint of the service model as AWS does."""
    return AwsError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}",
    )
