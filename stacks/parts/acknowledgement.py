"""Answers to the security rules (cdk-nag's AwsSolutions) that the stack does not follow to the letter."""

from __future__ import annotations

from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Record why `rule` does not apply to `construct`, and to nothing but it.

    The CDK stores it, cdk-nag reads it: so the stack needs no cdk-nag, which only the tests install.
    """
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def acknowledge_wildcard(construct: IConstruct, resource: str, reason: str) -> None:
    """Record why a statement on `construct` has the wildcard in `resource`."""
    found = Stack.of(construct).resolve(resource)
    if isinstance(found, dict):
        _, parts = found["Fn::Join"]
        found = "".join(part if isinstance(part, str) else f"<{_named(part)}>" for part in parts)
    acknowledge(construct, f"AwsSolutions-IAM5[Resource::{found}]", reason)


def _named(part: dict[str, Any]) -> str:
    """A reference in a composed ARN, as cdk-nag writes it: ``BucketLogicalId.Arn``, ``AWS::Region``."""
    return str(part["Ref"]) if "Ref" in part else ".".join(part["Fn::GetAtt"])
