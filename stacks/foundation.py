"""What all pipelines stand on: the data bucket, the key, the secret, the ledger and the alarm topic."""

from __future__ import annotations

import json
from typing import cast

from aws_cdk import (
    Duration,
    RemovalPolicy,
    aws_dynamodb,
    aws_kms,
    aws_s3,
    aws_secretsmanager,
    aws_sns,
    aws_sns_subscriptions,
)
from constructs import Construct

from lambdas.contracts import (
    ACCESS_TOKEN_KEY,
    ADVERTISER_ID_KEY,
    AUDIENCES_PREFIX,
    CREDENTIAL_PLACEHOLDER,
    EVENTS_PREFIX,
    PLANS_PREFIX,
    RECEIPTS_PREFIX,
    REJECTED_PREFIX,
    STATUS_TAG,
    SUPPRESSION_LIST_PREFIX,
    SUPPRESSIONS_PREFIX,
    Env,
)
from stacks.parts.acknowledgement import acknowledge
from stacks.settings import Settings

_LONGEST_UPLOAD_DAYS = 7
# To restore what somebody deleted or overwrote by hand; the function deletes outdated parts for good.
_SUPPRESSION_LIST_UNDO_DAYS = 30
# Written anew with each change, so that each version holds nearly all of the next one.
_STATUS_FILE_UNDO_DAYS = 7
# A first deployment that fails and is rolled back holds nobody's data, and would be in the way of the next one.
_RETAIN = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE


class Foundation(Construct):
    """Everything that outlives a single delivery. The bucket and its key outlive the stack as well."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.key = aws_kms.Key(
            self,
            "Key",
            description="Encrypts what the TikTok Ads connector stores",
            enable_key_rotation=True,
            # Without it, the bucket that stays behind could not be read any more.
            removal_policy=_RETAIN,
        )
        self.bucket = self._data_bucket(settings)
        self.secret_arn = self._credentials(settings)
        self.ledger = aws_dynamodb.Table(
            self,
            "Ledger",
            partition_key=aws_dynamodb.Attribute(name="pk", type=aws_dynamodb.AttributeType.STRING),
            billing_mode=aws_dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=aws_dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.key,
            point_in_time_recovery_specification=aws_dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expires_at",
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.alarm_topic = aws_sns.Topic(self, "AlarmTopic", master_key=self.key, enforce_ssl=True)
        if settings.alarm_email:
            self.alarm_topic.add_subscription(aws_sns_subscriptions.EmailSubscription(settings.alarm_email))

    def environment(self, settings: Settings, *, tiktok_api_url: str, interval_seconds: float) -> dict[str, str]:
        """What every function reads of its environment; `interval_seconds` is its share of the request rate."""
        return {
            Env.BUCKET.value: self.bucket.bucket_name,
            Env.LEDGER_TABLE.value: self.ledger.table_name,
            Env.LEDGER_RETENTION_DAYS.value: str(settings.ledger_retention_days),
            Env.SECRET_ID.value: self.secret_arn,
            Env.TIKTOK_API_URL.value: tiktok_api_url,
            Env.REQUEST_INTERVAL_SECONDS.value: f"{interval_seconds:.12g}",
        }

    def _data_bucket(self, settings: Settings) -> aws_s3.Bucket:
        retention = Duration.days(settings.data_retention_days)
        bucket = aws_s3.Bucket(
            self,
            "DataBucket",
            bucket_name=settings.tiktok_data_bucket_name or None,
            encryption=aws_s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            versioned=True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=aws_s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=aws_s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=_RETAIN,
            # Uploads are personal data, even if hashed, and go. Receipts stay: they hold counts, reasons and ids of
            # audiences, nothing of a person, and are the proof of what was delivered. The suppression list stays too:
            # should it expire, people who objected would be sent again.
            lifecycle_rules=[
                *_expiring("Uploads", AUDIENCES_PREFIX, retention),
                *_expiring("SuppressionUploads", SUPPRESSIONS_PREFIX, retention),
                *_expiring("Plans", PLANS_PREFIX, retention),
                *_expiring("Events", EVENTS_PREFIX, retention),
                *_expiring("RejectedEvents", REJECTED_PREFIX, retention),
                aws_s3.LifecycleRule(
                    id="ExpireOldVersionsOfSuppressionList",
                    prefix=SUPPRESSION_LIST_PREFIX,
                    noncurrent_version_expiration=Duration.days(_SUPPRESSION_LIST_UNDO_DAYS),
                ),
                aws_s3.LifecycleRule(
                    id="ExpireOldVersionsOfStatusFiles",
                    prefix=RECEIPTS_PREFIX,
                    tag_filters=dict([STATUS_TAG]),
                    noncurrent_version_expiration=Duration.days(_STATUS_FILE_UNDO_DAYS),
                ),
                aws_s3.LifecycleRule(
                    id="AbortUnfinishedUploads",
                    abort_incomplete_multipart_upload_after=Duration.days(
                        min(_LONGEST_UPLOAD_DAYS, settings.data_retention_days)
                    ),
                ),
            ],
        )
        # `event_bridge_enabled=True` would bring a function of its own, with rights on every bucket, to set this.
        native = cast(aws_s3.CfnBucket, bucket.node.default_child)
        native.notification_configuration = aws_s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=aws_s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
        )
        acknowledge(
            bucket,
            "AwsSolutions-S1",
            "Who read what is for the account's CloudTrail to tell: server access logs cannot be encrypted with "
            "our key, and what became of every upload is in its receipt",
        )
        return bucket

    def _credentials(self, settings: Settings) -> str:
        """The ARN of the secret that the deployer fills in after the installation."""
        # CloudFormation writes a value only when the template's changes: as a constant, it never overwrites what a
        # user has put in since. The native resource, because the higher one adds key policy statements for nothing.
        placeholders = {ACCESS_TOKEN_KEY: CREDENTIAL_PLACEHOLDER, ADVERTISER_ID_KEY: CREDENTIAL_PLACEHOLDER}
        secret = aws_secretsmanager.CfnSecret(
            self,
            "Credentials",
            name=settings.cred_secret_name,
            description="Access token and advertiser of the TikTok Ads connector",
            kms_key_id=self.key.key_arn,
            secret_string=json.dumps(placeholders),
        )
        acknowledge(
            secret,
            "AwsSolutions-SMG4",
            "TikTok has no call that renews a long-lived access token: a person grants it anew. "
            "An alarm rings when TikTok refuses it",
        )
        return secret.ref


def _expiring(what: str, prefix: str, retention: Duration) -> list[aws_s3.LifecycleRule]:
    """The rules by which everything below a prefix goes."""
    return [
        aws_s3.LifecycleRule(
            id=f"Expire{what}",
            prefix=prefix,
            expiration=retention,
            # Counted from when a version was replaced: a waiting delivery of it can still be replayed.
            noncurrent_version_expiration=retention,
        ),
        # S3 takes this only in a rule that does not expire by days.
        aws_s3.LifecycleRule(id=f"RemoveDeleteMarkersOf{what}", prefix=prefix, expired_object_delete_marker=True),
    ]
