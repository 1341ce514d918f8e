"""Local commands cannot reach a real account, whatever the environment holds."""

import os

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workshop.local_aws.clients import client
from workshop.local_aws.isolation import isolated

LOCAL = "http://127.0.0.1:4566"

# Every way in which an environment can lead a client to AWS or to somebody else's emulator.
LEADING_ELSEWHERE = {
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAREALREALREAL",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_CONFIG_FILE": "/home/somebody/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/home/somebody/.aws/credentials",
    "AWS_ENDPOINT_URL": "https://firehose.eu-west-1.amazonaws.com",
    "AWS_ENDPOINT_URL_FIREHOSE": "https://firehose.eu-west-1.amazonaws.com",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/production",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/credentials",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "BOTO_CONFIG": "/home/somebody/.boto",
    "HTTPS_PROXY": "http://proxy.example:3128",
    "http_proxy": "http://proxy.example:3128",
    "CDK_DEFAULT_ACCOUNT": "123456789012",
}


@pytest.mark.parametrize("name", LEADING_ELSEWHERE)
def test_nothing_that_leads_elsewhere_is_left(name: str) -> None:
    kept = isolated({name: LEADING_ELSEWHERE[name], "PATH": "/usr/bin"}, LOCAL)
    assert LEADING_ELSEWHERE[name] not in kept.values()
    assert kept["PATH"] == "/usr/bin"


@given(
    st.dictionaries(
        st.sampled_from(["AWS_", "aws_", "BOTO_", "CDK_"]).flatmap(
            lambda prefix: st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1).map(lambda rest: prefix + rest)
        ),
        st.just("elsewhere"),
    )
)
def test_no_variable_of_an_aws_client_survives(environment: dict[str, str]) -> None:
    assert "elsewhere" not in isolated(environment, LOCAL).values()


def test_a_session_in_an_isolated_environment_knows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in isolated({**os.environ, **LEADING_ELSEWHERE}, LOCAL).items():
        monkeypatch.setenv(name, value)
    for name in LEADING_ELSEWHERE.keys() - isolated({}, LOCAL).keys():
        monkeypatch.delenv(name, raising=False)
    session = boto3.session.Session()
    credentials = session.get_credentials()
    assert credentials is not None
    assert credentials.access_key == "test"
    assert session.client("firehose").meta.endpoint_url == LOCAL


@pytest.mark.parametrize(
    "endpoint", ["https://s3.amazonaws.com", "http://localhost.evil.example:80", "http://10.0.0.1:1"]
)
def test_a_client_of_the_embedded_aws_goes_to_this_machine_alone(endpoint: str) -> None:
    with pytest.raises(ValueError, match="is not an address of this machine"):
        client("s3", endpoint)
