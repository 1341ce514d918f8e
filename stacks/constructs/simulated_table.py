"""A table that costs nothing while idle, and goes with its stack."""

from aws_cdk import RemovalPolicy, Validations
from aws_cdk.aws_dynamodb import Attribute, BillingMode, Table, TableEncryption
from constructs import Construct

from stacks.constructs import accepted


class SimulatedTable(Table):
    """A table of simulated data: paid for by request, without backups, since its data comes back from the seed."""

    def __init__(
        self, scope: Construct, construct_id: str, *, partition_key: Attribute, sort_key: Attribute | None = None
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            partition_key=partition_key,
            sort_key=sort_key,
            billing_mode=BillingMode.PAY_PER_REQUEST,
            encryption=TableEncryption.DEFAULT,
            removal_policy=RemovalPolicy.DESTROY,
        )
        Validations.of(self).acknowledge(*accepted.SIMULATED)
