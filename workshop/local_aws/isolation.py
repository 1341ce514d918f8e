"""An environment from which nothing but the embedded AWS can be reached."""

import os
from collections.abc import Mapping

from workshop.local_aws.protocol import REGION

_ELSEWHERE = ("AWS_", "BOTO_", "BOTO3_", "LOCALSTACK_", "MINISTACK_", "CDK_", "JSII_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy")


def isolated(environment: Mapping[str, str], endpoint: str | None = None) -> dict[str, str]:
    """Return an environment without profiles, credentials, endpoints and proxies, that points at `endpoint` if given.

    Config files are hidden too: a profile there may name credentials, an endpoint or a command that fetches either.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith(_ELSEWHERE) and name.lower() not in _PROXIES
    }
    kept |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "*",
    }
    if endpoint is not None:
        kept["AWS_ENDPOINT_URL"] = endpoint
    return kept
