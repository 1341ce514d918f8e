"""The app as a whole: the same bytes every time, no finding, and only the named differences between targets."""

import ast
import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.stacks.conftest import CDK_JSON_CONTEXT, Template, templates
from workshop.places import ROOT


def synthesise_offline(assembly: Path, hash_seed: int) -> dict[str, bytes]:
    """Run app.py in a process of its own: no credentials, no home, and every way to the network a dead end."""
    dead_end = "http://127.0.0.1:9"
    environment = {
        "PATH": os.defpath,
        "JSII_NODE": os.environ["JSII_NODE"],
        "CDK_OUTDIR": str(assembly),
        "CDK_CONTEXT_JSON": json.dumps(CDK_JSON_CONTEXT),
        "HOME": str(assembly.parent),
        "PYTHONHASHSEED": str(hash_seed),
        "http_proxy": dead_end,
        "https_proxy": dead_end,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, check=True, capture_output=True)
    return {str(file.relative_to(assembly)): file.read_bytes() for file in assembly.rglob("*") if file.is_file()}


def test_synthesis_needs_nothing_from_outside_and_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    first = synthesise_offline(tmp_path / "first", hash_seed=1)
    second = synthesise_offline(tmp_path / "second", hash_seed=2)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_cfn_lint_finds_nothing(aws_assembly: Path, local_assembly: Path) -> None:
    files = [str(file) for assembly in (aws_assembly, local_assembly) for file in assembly.glob("*.template.json")]
    # W3005: CDK writes dependencies out that a reference implies already.
    command = [
        str(Path(sys.executable).parent / "cfn-lint"),
        "--non-zero-exit-code",
        "informational",
        "-i",
        "W3005",
        "--",
        *files,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_targets_differ_only_by_what_is_named(aws: dict[str, Template], local: dict[str, Template]) -> None:
    def comparable(stacks: dict[str, Template]) -> dict[str, dict[str, Any]]:
        kept: dict[str, dict[str, Any]] = {}
        # A copy: other tests read the same templates.
        for stack, template in copy.deepcopy(stacks).items():
            kept[stack] = {
                name: resource
                for name, resource in template["Resources"].items()
                if resource["Type"] not in ("AWS::Athena::NamedQuery", "AWS::Budgets::Budget")
                and "AutoDeleteObjects" not in name
                and "BucketEmptierLogs" not in name
                and resource["Type"] not in ("AWS::S3::BucketPolicy", "AWS::CDK::Metadata")
            }
            for resource in kept[stack].values():
                tags = resource.get("Properties", {}).get("Tags", [])
                if isinstance(tags, list):
                    tags[:] = [tag for tag in tags if tag["Key"] != "aws-cdk:auto-delete-objects"]
        return kept

    assert comparable(aws) == comparable(local)


def test_every_stack_carries_the_tag_by_which_it_is_found(aws_assembly: Path) -> None:
    manifest = json.loads((aws_assembly / "manifest.json").read_text())
    stacks = {name: a for name, a in manifest["artifacts"].items() if a["type"] == "aws:cloudformation:stack"}
    assert stacks.keys() == templates(aws_assembly).keys()
    assert all(stack["properties"]["tags"]["project"] == "inventory-workshop" for stack in stacks.values())


def test_app_py_composes_stacks_and_knows_nothing_else() -> None:
    # import-linter reads packages; app.py is a lone module.
    tree = ast.parse((ROOT / "app.py").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert {module.split(".")[0] for module in imported if module} == {"aws_cdk", "stacks"}
