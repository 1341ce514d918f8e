"""What differs between the two targets: all of it, each with its reason.

The local target is ministack with our own Firehose and Athena in front. Everything that is not named here is
synthesised alike for both.
"""

from stacks.settings import Target


def empties_buckets(target: Target) -> bool:
    """Whether a custom resource empties buckets on deletion: its JavaScript never answers under ministack.

    `down --destroy` empties them itself, on both targets.
    """
    return target == "aws"


def sets_budgets(target: Target) -> bool:
    """Whether `AWS::Budgets::Budget` is deployed: ministack's CloudFormation does not know the type.

    What the embedded AWS would have cost, `workshop cost` tells.
    """
    return target == "aws"
