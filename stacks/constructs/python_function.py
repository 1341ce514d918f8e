"""A Lambda function whose zip is copied together at synth time from this tree and the installed environment."""

import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, Duration, ILocalBundling, RemovalPolicy
from aws_cdk.aws_iam import PolicyDocument, PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_lambda import Architecture, Code, Function, LoggingFormat, Runtime
from aws_cdk.aws_logs import LogGroup, RetentionDays
from constructs import Construct

ROOT = Path(__file__).parent.parent.parent

POWERTOOLS = ("aws_lambda_powertools", "jmespath", "typing_extensions")
"""The packages of Powertools for AWS Lambda's logger and metrics."""


class PythonFunction(Construct):
    """A function in `lambdas/<folder>`, with core, adapters, the contract, and the pure-Python packages it names.

    Nothing is downloaded or compiled: the same zip runs on a laptop and on arm64. The role may write the function's own
    log group and nothing else; callers add what the handler needs, statement by statement.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        folder: str,
        packages: tuple[str, ...],
        environment: Mapping[str, str],
        timeout: Duration,
        memory_mib: int,
        description: str,
    ) -> None:
        super().__init__(scope, construct_id)
        log_group = LogGroup(self, "Logs", retention=RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY)
        self.role = Role(
            self,
            "Role",
            assumed_by=ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                "WriteOwnLogs": PolicyDocument(
                    statements=[
                        PolicyStatement(
                            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                            resources=[log_group.log_group_arn],
                        )
                    ]
                )
            },
        )
        self.function = Function(
            self,
            "Function",
            description=description,
            runtime=Runtime.PYTHON_3_14,
            architecture=Architecture.ARM_64,
            handler=f"lambdas.{folder}.handler.handler",
            code=Code.from_asset(
                str(ROOT / "lambdas" / folder),
                asset_hash_type=AssetHashType.OUTPUT,
                bundling=BundlingOptions(
                    # Required by the API; the local bundling below always succeeds, so Docker is never called.
                    image=DockerImage.from_registry("scratch"),
                    local=_CopyBundling(folder, packages),
                ),
            ),
            environment=dict(environment),
            timeout=timeout,
            memory_size=memory_mib,
            log_group=log_group,
            logging_format=LoggingFormat.JSON,
            role=self.role,
        )
        self.function.node.add_dependency(self.role)


@jsii.implements(ILocalBundling)
class _CopyBundling:
    """Copies a function's files into the asset's folder: sources and data, never bytecode."""

    def __init__(self, folder: str, packages: tuple[str, ...]) -> None:
        self._sources = [
            ROOT / "lambdas" / "__init__.py",
            *(ROOT / "lambdas" / part for part in ("core", "adapters", folder)),
        ]
        self._contract = ROOT / "glue" / "stock_event.schema.json"
        self._packages = packages

    def try_bundle(self, output_dir: str, *_: object, **__: object) -> bool:
        target = Path(output_dir)
        for source in [*self._sources, self._contract]:
            _copy(source, target / source.relative_to(ROOT))
        for package in self._packages:
            _copy(_installed(package), target / package.replace(".", "/"))
        return True


def _installed(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed; run `python3 -m workshop doctor`")
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        target = target if target.suffix else target.with_suffix(source.suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
