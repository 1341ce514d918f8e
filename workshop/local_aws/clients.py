"""boto3 clients that can reach the embedded AWS and nothing else."""

from functools import cache
from typing import Any, NamedTuple

from workshop.local_aws.protocol import REGION


class Credentials(NamedTuple):
    """What requests are signed with."""

    access_key: str
    secret_key: str
    token: str | None = None


ROOT = Credentials("test", "test")
"""Whoever asks with it may do everything in the embedded AWS; it opens nothing elsewhere."""


@cache
def client(service: str, endpoint: str, region: str = REGION, credentials: Credentials = ROOT) -> Any:
    """Return the client of one service at an endpoint on 127.0.0.1, with credentials that open nothing elsewhere.

    Profiles, credentials, endpoints and regions in the environment are not looked at. Calls may take as long as the
    longest Lambda runs and are not repeated behind the caller's back.
    """
    # It takes a third of a start's time, and not every start needs a client.
    import boto3
    from botocore.config import Config

    if not endpoint.startswith("http://127.0.0.1:"):
        raise ValueError(f"{endpoint} is not an address of this machine; the embedded AWS answers on http://127.0.0.1")
    session = boto3.session.Session(
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token,
        region_name=region,
    )
    config = Config(
        read_timeout=920,
        max_pool_connections=32,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
        proxies={},
    )
    return session.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]
