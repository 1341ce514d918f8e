"""The plain names by which the tool finds what a stack made."""

from aws_cdk import CfnOutput
from constructs import Construct


class Outputs(Construct):
    """Stack outputs named in words: `delivery_stream` becomes the output key `DeliveryStream`."""

    def __init__(self, scope: Construct, **values: str) -> None:
        super().__init__(scope, "Outputs")
        for name, value in values.items():
            CfnOutput(self, name, key=name.title().replace("_", ""), value=value)
