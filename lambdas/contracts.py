"""Names that the stack and the functions must spell alike.

The stack writes them into the template, the functions read them at run time. Standard library only, so that
``stacks`` may import it without the runtime's packages.
"""

from __future__ import annotations

from enum import StrEnum


class Env(StrEnum):
    """Environment variables of the functions."""

    BUCKET = "DATA_BUCKET"
    LEDGER_TABLE = "LEDGER_TABLE"
    SECRET_ID = "SECRET_ID"  # noqa: S105 - the name of a variable, not a secret
    QUEUE_URL = "QUEUE_URL"
    DEAD_LETTER_QUEUE_URL = "DEAD_LETTER_QUEUE_URL"
    TIKTOK_API_URL = "TIKTOK_API_URL"
    SUPPORTED_CALCULATE_TYPES = "SUPPORTED_CALCULATE_TYPES"  # comma-separated, upper case
    MAX_INVALID_RATIO = "MAX_INVALID_RATIO"
    MAX_RECEIVE_COUNT = "MAX_RECEIVE_COUNT"
    RETRY_DELAY_SECONDS = "RETRY_DELAY_SECONDS"
    REQUEST_INTERVAL_SECONDS = "TIKTOK_REQUEST_INTERVAL_SECONDS"  # of one function: its share of the rate
    LEDGER_RETENTION_DAYS = "LEDGER_RETENTION_DAYS"
    ALLOW_RAW_IDENTIFIERS = "ALLOW_RAW_IDENTIFIERS"  # "true" or "false", as every switch
    DEFAULT_COUNTRY = "DEFAULT_COUNTRY"  # ISO 3166, two letters, upper case; empty: none
    EMAIL_RULE = "EMAIL_RULE"
    PHONE_RULE = "PHONE_RULE"
    THREAD_COUNT = "THREAD_COUNT"
    ALLOW_AUDIENCE_DELETION = "ALLOW_AUDIENCE_DELETION"
    LARGE_OBJECT_BYTES = "LARGE_OBJECT_BYTES"
    STATE_MACHINE_ARN = "STATE_MACHINE_ARN"
    EXPIRY_WARNING_DAYS = "EXPIRY_WARNING_DAYS"  # of the watch alone
    # Of the functions for events.
    PARTNER_NAME = "PARTNER_NAME"  # empty: none
    LIMITED_DATA_USE = "LIMITED_DATA_USE"
    CREATE_MISSING_EVENT_SOURCES = "CREATE_MISSING_EVENT_SOURCES"
    MAX_EVENT_AGE_DAYS = "MAX_EVENT_AGE_DAYS"  # web=28,app=28,offline=28,crm=28


class Metric(StrEnum):
    """CloudWatch metrics, in `METRIC_NAMESPACE`, with the dimension `service`.

    That is the stack's name, with `-events` or `-live-events` behind it for the functions for events.
    """

    OBJECTS_DELIVERED = "ObjectsDelivered"
    OBJECTS_REJECTED = "ObjectsRejected"
    OBJECTS_RETRIED = "ObjectsRetried"
    OBJECTS_EXHAUSTED = "ObjectsExhausted"
    OBJECTS_GIVEN_UP = "ObjectsGivenUp"  # rejected or exhausted: put into the dead-letter queue
    OBJECTS_POSTPONED = "ObjectsPostponed"
    OBJECTS_ALREADY_DELIVERED = "ObjectsAlreadyDelivered"
    OBJECTS_IGNORED = "ObjectsIgnored"
    OBJECTS_SUPERSEDED = "ObjectsSuperseded"
    NOT_CARRIED_OUT = "ChangesNotCarriedOut"  # accepted by TikTok, but not done: people are still in an audience
    ROWS_SENT = "RowsSent"
    ROWS_INVALID = "RowsInvalid"
    ROWS_SUPPRESSED = "RowsSuppressed"
    ROWS_REFUSED = "RowsRefusedByTikTok"
    TIKTOK_RETRIES = "TikTokRetries"
    TOKEN_REJECTED = "TokenRejected"  # noqa: S105 - the name of a metric
    MISCONFIGURED = "Misconfigured"
    UNEXPECTED_ERRORS = "UnexpectedErrors"
    UNLISTED_CODES = "UnlistedCodes"
    AUDIENCES_FAILED = "AudiencesFailed"
    AUDIENCES_SHRUNK = "AudiencesShrunk"
    AUDIENCES_TOO_SMALL = "AudiencesTooSmall"
    AUDIENCES_EXPIRING = "AudiencesExpiring"
    EVENTS_SENT = "EventsSent"
    EVENTS_INVALID = "EventsInvalid"
    EVENTS_DENIED = "EventsDenied"  # by the people themselves, who did not consent
    EVENTS_SUPPRESSED = "EventsSuppressed"
    EVENTS_REFUSED = "EventsRefusedByTikTok"
    EVENTS_IN_MILLISECONDS = "EventsInMilliseconds"  # their times were converted


class AudienceMetric(StrEnum):
    """CloudWatch metrics with the further dimensions `advertiser` and `audience`."""

    SIZE = "AudienceSize"  # people that TikTok matched
    MATCHED_SHARE = "MatchedShare"  # of the rows that it accepted, 0 to 1


class Announcement(StrEnum):
    """What the functions publish on the account's default event bus, by its `detail-type`; docs/notifications.md."""

    ACTIVATED = "TikTok Audience Activated"
    SUPERSEDED = "TikTok Audience Superseded"
    REJECTED = "TikTok Audience Rejected"
    STATUS = "TikTok Audience Status"
    EVENTS_DELIVERED = "TikTok Events Delivered"
    EVENTS_REJECTED = "TikTok Events Rejected"


ANNOUNCEMENT_SOURCE = "tiktok.ads.connector"

# What an application puts on that bus, for us: one event of a person.
EVENT_DETAIL_TYPE = "TikTok Event"

METRIC_NAMESPACE = "TikTokAdsConnector"

AUDIENCES_PREFIX = "tiktok/"
RECEIPTS_PREFIX = "receipts/"
SUPPRESSIONS_PREFIX = "suppression/"
# What the suppression list is kept below. Apart from `suppression/`, where its files arrive.
SUPPRESSION_LIST_PREFIX = "suppression-list/"
# How large objects are cut.
PLANS_PREFIX = "plans/"
EVENTS_PREFIX = "events/"
# Events that were not sent, as they came.
REJECTED_PREFIX = "rejected/"
# The settings of one event source, below `events/<source>/<event source>/`.
SOURCE_FILE = "source.json"

# The history of an audience, below `receipts/tiktok/<audience>/`. By its tag, S3 lets go of outdated versions.
STATUS_FILE = "audience-status.jsonl"
STATUS_TAG = ("content", "audience-status")

# Attributes of a message in the dead-letter queue.
REASON_ATTRIBUTE = "reason"
DETAIL_ATTRIBUTE = "detail"
# Of a message in the queue: somebody has confirmed what would be held otherwise.
CONFIRMED_ATTRIBUTE = "confirmed"

# The secret's JSON keys, and what the deployment puts there. Changing a placeholder would make CloudFormation
# overwrite what a user has put into the secret since.
ACCESS_TOKEN_KEY = "ACCESS_TOKEN"  # noqa: S105
ADVERTISER_ID_KEY = "ADVERTISER_ID"
# Optional: {alias: advertiser id}, for agencies that reach several advertisers with one token.
ADVERTISERS_KEY = "ADVERTISERS"
ADVERTISER_ALIAS = r"[A-Za-z0-9_.-]{1,64}"  # a regular expression, for a whole alias
CREDENTIAL_PLACEHOLDER = "REPLACE_ME"

# What customer files may hold, API reference section 3.2.
CALCULATE_TYPES = (
    "EMAIL_SHA256",
    "PHONE_SHA256",
    "IDFA_SHA256",
    "IDFA_MD5",
    "GAID_SHA256",
    "GAID_MD5",
    "FIRST_SHA256",
    "FIRST_MD5",
    "MAID_SHA256",
    "MAID_MD5",
    "MULTIPLE_TYPES",
)

# Which of TikTok's rules is followed before a raw identifier is hashed, API reference section 5.1. A test compares
# these words with those of ``lambdas.identifiers``, which ``stacks`` may not import.
EMAIL_RULES = ("plain", "older", "both")
PHONE_RULES = ("plus", "no_plus", "both")

# Where events happen, API reference section 6.1. A test compares these words with those of ``lambdas.tiktok``.
EVENT_SOURCES = ("web", "app", "offline", "crm")

# The most that ``large_object_bytes`` may be: one function can handle so much in the time that it has.
LARGEST_LARGE_OBJECT_BYTES = 4 * 2**30

# Requests of one function at a time, on the streaming route and to the Events API.
MOST_THREADS = 10

ACTIVATION_HANDLER = "lambdas.audiences.handler.handle"
WATCH_HANDLER = "lambdas.audiences.watch.handler.handle"
PART_HANDLER = "lambdas.audiences.large_objects.handler.handle"
EVENT_FILES_HANDLER = "lambdas.events.handler.handle"
LIVE_EVENTS_HANDLER = "lambdas.events.live.handler.handle"


class Step(StrEnum):
    """What the function for large objects is asked to do."""

    CHECK = "check"
    JUDGE = "judge"
    UPLOAD = "upload"


# How that function fails: never again, later and not counted, or counted.
PART_REFUSED = "PartRefused"
PART_POSTPONED = "PartPostponed"
PART_FAILED = "PartFailed"


class Output(StrEnum):
    """Outputs of the stack, which the operator's command and the local set-up read."""

    BUCKET = "BucketName"
    KEY = "KeyArn"
    QUEUE_URL = "QueueUrl"
    DEAD_LETTER_QUEUE_URL = "DeadLetterQueueUrl"
    SECRET_ID = "SecretName"  # noqa: S105 - the name of an output
    LEDGER_TABLE = "LedgerTableName"
    ACTIVATION_FUNCTION = "ActivationFunctionName"
    STATE_MACHINE = "StateMachineArn"
    WATCH_FUNCTION = "WatchFunctionName"
    EVENT_QUEUE_URL = "EventQueueUrl"
    EVENT_DEAD_LETTER_QUEUE_URL = "EventDeadLetterQueueUrl"
    EVENT_FUNCTION = "EventFunctionName"
    LIVE_EVENT_QUEUE_URL = "LiveEventQueueUrl"
    LIVE_EVENT_DEAD_LETTER_QUEUE_URL = "LiveEventDeadLetterQueueUrl"
    LIVE_EVENT_FUNCTION = "LiveEventFunctionName"
    ALARM_TOPIC = "AlarmTopicArn"
    DASHBOARD = "DashboardName"


STACK_NAME = "TikTokAdsConnector"

# The one parameter of the template: where TikTok's API is. The demo points it at the emulator.
TIKTOK_API_URL_PARAMETER = "TikTokApiUrl"
TIKTOK_API_URL = "https://business-api.tiktok.com"
