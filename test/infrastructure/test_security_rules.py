"""What others' rules say of the stack: cdk-nag's AwsSolutions pack, the CDK's own validation and cfn-lint."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from aws_cdk import App, CfnElement, Validations, aws_iam
from cdk_nag import AwsSolutionsChecks

from lambdas.contracts import STACK_NAME
from stacks.connector_stack import ConnectorStack
from stacks.settings import Settings
from test.infrastructure.synthesis import Template, build_app, feature_flags


def nag(app: App) -> None:
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


@pytest.fixture
def connector(lambda_asset: Path, tmp_path: Path) -> tuple[App, ConnectorStack]:
    return build_app(Settings(alarm_email="ops@example.com"), lambda_asset, tmp_path / "cdk.out")


def test_cdk_nag_is_content(connector: tuple[App, ConnectorStack]) -> None:
    nag(connector[0])


def test_cdk_nag_refuses_a_right_that_nobody_justified(connector: tuple[App, ConnectorStack]) -> None:
    app, stack = connector
    role = cast(aws_iam.Role, stack.node.find_child("Audiences").node.find_child("Activation").node.find_child("Role"))
    role.add_to_policy(aws_iam.PolicyStatement(actions=["s3:*"], resources=["arn:aws:s3:::anything"]))
    with pytest.raises(RuntimeError, match=re.escape("AwsSolutions-IAM5[Action::s3:*]")):
        nag(app)


def test_these_rules_are_not_followed_to_the_letter_each_on_one_resource_and_with_a_reason(
    connector: tuple[App, ConnectorStack],
) -> None:
    acknowledged = {
        (construct.node.path.removeprefix(f"{STACK_NAME}/"), rule.removeprefix("Annotation::")): reason
        for construct in connector[0].node.find_all()
        for entry in construct.node.metadata
        if entry.type == Validations.ACKNOWLEDGED_RULES_METADATA_KEY
        for rule, reason in entry.data.items()
    }
    bucket = connector[1].get_logical_id(
        cast(CfnElement, connector[1].node.find_child("Foundation").node.find_child("DataBucket").node.default_child)
    )
    machine = connector[1].get_logical_id(
        cast(
            CfnElement,
            connector[1].node.find_child("Audiences").node.find_child("LargeObjects").node.find_child("Preparation"),
        )
    )
    here = "<AWS::Region>:<AWS::AccountId>"
    executions = f"arn:<AWS::Partition>:states:{here}:execution:<{machine}.Name>:*"
    assert set(acknowledged) == {
        ("Foundation/DataBucket", "AwsSolutions-S1"),
        ("Foundation/Credentials", "AwsSolutions-SMG4"),
        ("Audiences/Activation/Role", "AwsSolutions-IAM5[Resource::*]"),
        ("Audiences/Activation/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/tiktok/*]"),
        ("Audiences/Activation/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/suppression/*]"),
        ("Audiences/Activation/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/suppression-list/*]"),
        ("Audiences/Activation/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/receipts/*]"),
        ("Audiences/Activation/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/plans/*]"),
        ("Audiences/Activation/Role", f"AwsSolutions-IAM5[Resource::{executions}]"),
        ("Audiences/LargeObjects/Preparation", "AwsSolutions-SF1"),
        ("Audiences/LargeObjects/Parts/Role", "AwsSolutions-IAM5[Resource::*]"),
        ("Audiences/LargeObjects/Parts/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/tiktok/*]"),
        ("Audiences/LargeObjects/Parts/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/suppression-list/*]"),
        ("Audiences/LargeObjects/Role", "AwsSolutions-IAM5[Resource::*]"),
        ("Audiences/LargeObjects/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/plans/*]"),
        ("Audiences/LargeObjects/Role", f"AwsSolutions-IAM5[Resource::{executions}]"),
        ("AudienceWatch/Look/Role", "AwsSolutions-IAM5[Resource::*]"),
        (
            "AudienceWatch/Look/Role",
            f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/receipts/tiktok/*/audience-status.jsonl]",
        ),
        ("Events/Files/Delivery/Role", "AwsSolutions-IAM5[Resource::*]"),
        ("Events/Files/Delivery/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/events/*]"),
        ("Events/Files/Delivery/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/receipts/*]"),
        ("Events/Files/Delivery/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/rejected/*]"),
        ("Events/Files/Delivery/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/suppression-list/*]"),
        ("Events/Live/Delivery/Role", "AwsSolutions-IAM5[Resource::*]"),
        ("Events/Live/Delivery/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/events/*/source.json]"),
        ("Events/Live/Delivery/Role", f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/suppression-list/*]"),
    }
    assert all(len(reason) > 20 for reason in acknowledged.values())


def test_the_cdks_own_rules_stop_a_deployment() -> None:
    assert feature_flags()["@aws-cdk/core:validateAgainstDefaultRules"] is True


def test_cfn_lint_finds_no_errors(template: Template) -> None:
    cfn_lint = str(Path(sys.executable).with_name("cfn-lint"))
    command = [cfn_lint, "--format", "json", "--non-zero-exit-code", "none", str(template.path)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - spelled out above
    assert [finding for finding in json.loads(outcome.stdout) if finding["Level"] == "Error"] == []
