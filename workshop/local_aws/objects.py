"""Objects are on the disk and nowhere else, and one that is not is an error to whoever put it, as on AWS.

ministack logs a write that fails, on a full disk say, and answers that all is well; and it holds every version of the
objects of a versioned bucket in memory as well.
"""

import logging
import threading
from collections.abc import Callable
from inspect import signature
from typing import Any

from workshop.local_aws.overlay import UnknownMinistack

Answer = tuple[int, dict[str, str], bytes]

_WRITERS = {
    "_put_object": ("bucket_name", "key", "body", "headers"),
    "_copy_object": ("bucket_name", "dest_key", "headers"),
    "_complete_multipart_upload": ("bucket_name", "key", "body", "query_params", "headers"),
}

log = logging.getLogger(__name__)


class _NotWritten(BaseException):
    """Passes by ministack's `except Exception`, which would swallow it."""


def install() -> None:
    """Have S3 answer InternalError where it cannot write an object, and hold what it held before; and spare memory.

    Raises:
        UnknownMinistack: a function is not the one that this was written for.
    """
    from ministack.services import s3

    answering = threading.local()
    write = s3._atomic_write

    def write_or_refuse(*arguments: Any, **named: Any) -> None:
        try:
            write(*arguments, **named)
        except OSError as error:
            if getattr(answering, "puts", False):
                raise _NotWritten(str(error)) from error
            raise

    def refusing(put: Callable[..., Answer]) -> Callable[..., Answer]:
        def put_or_refuse(bucket_name: str, key: str, *arguments: Any) -> Answer:
            restore = _held(s3, bucket_name, key)
            answering.puts = True
            try:
                answer = put(bucket_name, key, *arguments)
                _forget_bodies(s3, bucket_name, key)
                return answer
            except _NotWritten as failure:
                restore()
                log.error("%s could not be written to %s: %s", key, bucket_name, failure)
                refusal: Answer = s3._error(
                    "InternalError", "We encountered an internal error. Please try again.", 500, f"/{bucket_name}/{key}"
                )
                return refusal
            finally:
                answering.puts = False

        return put_or_refuse

    s3._atomic_write = write_or_refuse
    for name, parameters in _WRITERS.items():
        function = getattr(s3, name)
        if tuple(signature(function).parameters) != parameters:
            raise UnknownMinistack(f"ministack's {name} has other parameters; objects.py has to follow it")
        setattr(s3, name, refusing(function))


def _forget_bodies(s3: Any, bucket_name: str, key: str) -> None:
    """Let go of the versions that can be read from the disk: the latest is the object's file, others have their own."""
    for version in s3._object_versions.get((bucket_name, key)) or []:
        if version["is_latest"] or s3._version_file_exists(bucket_name, key, version["version_id"]):
            version["data"] = None


def _held(s3: Any, bucket_name: str, key: str) -> Callable[[], None]:
    """Return what brings back the object of a key, its versions and the uploads under way, as they are now."""
    bucket = s3._ensure_bucket(bucket_name) or {"objects": {}}
    objects, before = bucket["objects"], bucket["objects"].get(key)
    versions = list(s3._object_versions.get((bucket_name, key)) or [])
    uploads = dict(s3._multipart_uploads._data)

    def restore() -> None:
        if before is None:
            objects.pop(key, None)
            s3._delete_persisted_object(bucket_name, key)
        else:
            objects[key] = before
        if versions:
            s3._object_versions[bucket_name, key] = versions
            versions[-1]["is_latest"] = True
        else:
            s3._object_versions.pop((bucket_name, key), None)
        s3._multipart_uploads._data.update(uploads)

    return restore
