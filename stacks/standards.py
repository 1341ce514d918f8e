"""What holds for every stack alike: the tag it is found by, and the security checks."""

from aws_cdk import App, Tags, Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

PROJECT = "inventory-workshop"


def apply_standards(app: App) -> None:
    """Tag everything, and fail synthesis on a security finding."""
    Tags.of(app).add("project", PROJECT)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
