"""What the security checks find and is accepted all the same: each kind once, with its reason."""

from aws_cdk import Acknowledgment


def _accepted(reason: str, *findings: str) -> tuple[Acknowledgment, ...]:
    packs = {"AwsSolutions": "AwsSolutions::AwsSolutions", "Serverless": "Serverless::Serverless"}
    return tuple(
        Acknowledgment(id=f"{packs[pack]}-{rule}", reason=reason)
        for pack, _, rule in (finding.partition("-") for finding in findings)
    )


SIMULATED = _accepted(
    "The data is simulated, and comes back from its seed and from the lake: backups and access logs would only cost",
    "AwsSolutions-DDB3",
    "AwsSolutions-S1",
)
DEAD_LETTERS_END = _accepted("Dead letters are the end of the line", "AwsSolutions-SQS3", "Serverless-SQSRedrivePolicy")
TRACES_NAME_NO_RESOURCE = _accepted(
    "X-Ray's actions to write traces take no resource (Service Authorization Reference, AWS X-Ray)",
    "AwsSolutions-IAM5[Resource::*]",
    "Serverless-LambdaStarPermissions",
)
FAILURES_ARE_KNOWN = _accepted(
    "A failure is known without dead letters of its own: whoever calls a function repeats the call (SQS, whose queue "
    "has dead letters and whose mapping can have no destination, Firehose, Step Functions, the scheduler, the user), "
    "and an alarm whose mail is lost stays on the dashboard",
    "Serverless-LambdaDLQ",
    "Serverless-LambdaEventSourceMappingDestination",
    "Serverless-SNSRedrivePolicy",
)
HISTORY_IS_KEPT = _accepted(
    "Step Functions keeps every run's history for 90 days and the table why one failed; a log would cost per delivery, "
    "and its role would need to manage every log delivery of the account",
    "AwsSolutions-SF1",
)
RECEIVER_LEARNS_FIRST = _accepted(
    "The receiver has to learn a new key first: docs/truck-webhook.md shows how to rotate it", "AwsSolutions-SMG4"
)


def objects(bucket_arn: str, prefix: str) -> tuple[Acknowledgment, ...]:
    """Accept that a policy names the objects under a prefix of a bucket; `bucket_arn` is as the finding has it."""
    return _accepted(
        "IAM names objects by prefix and wildcard; this is one prefix of one bucket",
        f"AwsSolutions-IAM5[Resource::{bucket_arn}/{prefix}/*]",
    )
