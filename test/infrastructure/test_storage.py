"""What is stored, how it is protected, and what stays when the stack goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lambdas.contracts import ACCESS_TOKEN_KEY, ADVERTISER_ID_KEY, CREDENTIAL_PLACEHOLDER
from lambdas.identifiers.models import IdentifierSpace
from lambdas.suppressions.models import MANIFEST_KEY, prefix_of
from test.infrastructure.synthesis import Template, as_list, attribute, joined, ref

ACCOUNT = ref("AWS::AccountId")


def key_statements(template: Template, principal: object) -> list[Any]:
    policy = template.properties(template.only("AWS::KMS::Key"))["KeyPolicy"]
    return [statement for statement in policy["Statement"] if statement["Principal"] == {"Service": principal}]


def test_the_key_rotates_and_outlives_the_stack(template: Template) -> None:
    key = template.resources[template.only("AWS::KMS::Key")]
    assert key["Properties"]["EnableKeyRotation"] is True
    assert key["DeletionPolicy"] == "RetainExceptOnCreate"
    assert key["UpdateReplacePolicy"] == "Retain"


ENCRYPTED = {
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::S3::Bucket": (
        "BucketEncryption",
        "ServerSideEncryptionConfiguration",
        0,
        "ServerSideEncryptionByDefault",
        "KMSMasterKeyID",
    ),
}


@pytest.mark.parametrize("resource_type", ENCRYPTED)
def test_everything_at_rest_is_encrypted_with_the_one_key(template: Template, resource_type: str) -> None:
    resources = template.of_type(resource_type)
    assert resources
    for resource in resources.values():
        setting: Any = resource["Properties"]
        for step in ENCRYPTED[resource_type]:
            setting = setting[step]
        assert setting == attribute(template.only("AWS::KMS::Key"))


def test_eventbridge_may_use_the_key_for_this_account_only(template: Template) -> None:
    (statement,) = key_statements(template, "events.amazonaws.com")
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_cloudwatch_may_use_the_key_so_that_alarms_reach_the_topic(template: Template) -> None:
    (statement,) = key_statements(template, "cloudwatch.amazonaws.com")
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]


def test_cloudwatch_logs_may_use_the_key_for_log_groups_of_this_account_only(template: Template) -> None:
    (statement,) = key_statements(template, joined("logs.", ref("AWS::Region"), ".", ref("AWS::URLSuffix")))
    assert statement["Effect"] == "Allow"
    assert {"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"} <= set(statement["Action"])
    log_groups = ["arn:", ref("AWS::Partition"), ":logs:", ref("AWS::Region"), ":", ACCOUNT, ":log-group:*"]
    assert statement["Condition"] == {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": joined(*log_groups)}}


def test_only_the_account_itself_may_administer_the_key(template: Template) -> None:
    policy = template.properties(template.only("AWS::KMS::Key"))["KeyPolicy"]
    administrators = [s["Principal"] for s in policy["Statement"] if "kms:*" in as_list(s["Action"])]
    assert administrators == [{"AWS": joined("arn:", ref("AWS::Partition"), ":iam::", ACCOUNT, ":root")}]


def test_the_bucket_is_private_versioned_and_outlives_the_stack(template: Template) -> None:
    bucket = template.resources[template.only("AWS::S3::Bucket")]
    properties = bucket["Properties"]
    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert bucket["UpdateReplacePolicy"] == "Retain"
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert properties["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }


def test_the_bucket_uses_bucket_keys(template: Template) -> None:
    bucket = template.properties(template.only("AWS::S3::Bucket"))
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["BucketKeyEnabled"] is True
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"


def test_the_bucket_tells_eventbridge_without_a_custom_resource(template: Template) -> None:
    bucket = template.properties(template.only("AWS::S3::Bucket"))
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert not [name for name, r in template.resources.items() if r["Type"].startswith("Custom::")]


def test_uploads_expire_with_their_old_versions_and_delete_markers(template_with: Callable[..., Template]) -> None:
    template = template_with(data_retention_days=3)
    bucket = template.properties(template.only("AWS::S3::Bucket"))
    assert bucket["LifecycleConfiguration"]["Rules"] == [
        {
            "Id": "ExpireUploads",
            "Prefix": "tiktok/",
            "Status": "Enabled",
            "ExpirationInDays": 3,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
        },
        {
            "Id": "RemoveDeleteMarkersOfUploads",
            "Prefix": "tiktok/",
            "Status": "Enabled",
            "ExpiredObjectDeleteMarker": True,
        },
        {
            "Id": "ExpireSuppressionUploads",
            "Prefix": "suppression/",
            "Status": "Enabled",
            "ExpirationInDays": 3,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
        },
        {
            "Id": "RemoveDeleteMarkersOfSuppressionUploads",
            "Prefix": "suppression/",
            "Status": "Enabled",
            "ExpiredObjectDeleteMarker": True,
        },
        {
            "Id": "ExpirePlans",
            "Prefix": "plans/",
            "Status": "Enabled",
            "ExpirationInDays": 3,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
        },
        {
            "Id": "RemoveDeleteMarkersOfPlans",
            "Prefix": "plans/",
            "Status": "Enabled",
            "ExpiredObjectDeleteMarker": True,
        },
        {
            "Id": "ExpireEvents",
            "Prefix": "events/",
            "Status": "Enabled",
            "ExpirationInDays": 3,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
        },
        {
            "Id": "RemoveDeleteMarkersOfEvents",
            "Prefix": "events/",
            "Status": "Enabled",
            "ExpiredObjectDeleteMarker": True,
        },
        {
            "Id": "ExpireRejectedEvents",
            "Prefix": "rejected/",
            "Status": "Enabled",
            "ExpirationInDays": 3,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
        },
        {
            "Id": "RemoveDeleteMarkersOfRejectedEvents",
            "Prefix": "rejected/",
            "Status": "Enabled",
            "ExpiredObjectDeleteMarker": True,
        },
        # What counts stays: there is no expiration of current versions.
        {
            "Id": "ExpireOldVersionsOfSuppressionList",
            "Prefix": "suppression-list/",
            "Status": "Enabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        },
        # Each version of such a file holds nearly all of the next one.
        {
            "Id": "ExpireOldVersionsOfStatusFiles",
            "Prefix": "receipts/",
            "TagFilters": [{"Key": "content", "Value": "audience-status"}],
            "Status": "Enabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
        },
        # An unfinished upload is as personal as a finished one.
        {
            "Id": "AbortUnfinishedUploads",
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
        },
    ]


def test_neither_receipts_nor_the_suppression_list_expire(template: Template) -> None:
    rules = template.properties(template.only("AWS::S3::Bucket"))["LifecycleConfiguration"]["Rules"]
    kept = ("receipts/x.json", MANIFEST_KEY, prefix_of(IdentifierSpace.EMAIL_SHA256))
    expiring = [rule for rule in rules if "ExpirationInDays" in rule]
    assert expiring
    assert not [rule for rule in expiring if any(key.startswith(rule["Prefix"]) for key in kept)]
    touching = [
        rule for rule in rules if "receipts/x.json".startswith(rule.get("Prefix", "")) and "TagFilters" not in rule
    ]
    assert [set(rule) for rule in touching] == [{"Id", "Status", "AbortIncompleteMultipartUpload"}]


def test_the_bucket_has_the_chosen_name_or_a_generated_one(
    template: Template, template_with: Callable[..., Template]
) -> None:
    assert "BucketName" not in template.properties(template.only("AWS::S3::Bucket"))
    named = template_with(tiktok_data_bucket_name="my-own-bucket")
    assert named.properties(named.only("AWS::S3::Bucket"))["BucketName"] == "my-own-bucket"


@pytest.mark.parametrize(
    ("policy_type", "resource_type"),
    [
        ("AWS::S3::BucketPolicy", "AWS::S3::Bucket"),
        ("AWS::SQS::QueuePolicy", "AWS::SQS::Queue"),
        ("AWS::SNS::TopicPolicy", "AWS::SNS::Topic"),
    ],
)
def test_nobody_gets_in_without_tls(template: Template, policy_type: str, resource_type: str) -> None:
    targets = template.of_type(resource_type)
    assert targets
    for target in targets:
        assert any(
            statement["Effect"] == "Deny"
            and statement["Principal"] in ("*", {"AWS": "*"})
            and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in template.policy_of(policy_type, target)
        ), f"{target} is reachable without TLS"


def test_the_secret_holds_constant_placeholders_that_no_later_deployment_changes(template: Template) -> None:
    # CloudFormation overwrites the user's token as soon as this property differs from the one deployed before:
    # never change this line.
    pinned = '{"ACCESS_TOKEN": "REPLACE_ME", "ADVERTISER_ID": "REPLACE_ME"}'
    secret = template.properties(template.only("AWS::SecretsManager::Secret"))
    assert secret["SecretString"] == pinned
    assert "GenerateSecretString" not in secret
    assert json.loads(pinned) == {ACCESS_TOKEN_KEY: CREDENTIAL_PLACEHOLDER, ADVERTISER_ID_KEY: CREDENTIAL_PLACEHOLDER}


def test_the_secret_has_the_chosen_name(template: Template, template_with: Callable[..., Template]) -> None:
    assert template.properties(template.only("AWS::SecretsManager::Secret"))["Name"] == "tiktok_activation_credentials"
    named = template_with(cred_secret_name="another/name")  # noqa: S106 - not its value
    assert named.properties(named.only("AWS::SecretsManager::Secret"))["Name"] == "another/name"


def test_the_ledger_can_be_restored_and_forgets_what_has_expired(template: Template) -> None:
    ledger = template.properties(template.only("AWS::DynamoDB::Table"))
    assert ledger["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert ledger["AttributeDefinitions"] == [{"AttributeName": "pk", "AttributeType": "S"}]
    assert ledger["BillingMode"] == "PAY_PER_REQUEST"
    assert ledger["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert ledger["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_destroying_the_stack_leaves_the_bucket_and_its_key_and_nothing_else(template: Template) -> None:
    retained = {r["Type"] for r in template.resources.values() if r.get("DeletionPolicy", "Delete") != "Delete"}
    assert retained == {"AWS::S3::Bucket", "AWS::KMS::Key"}
