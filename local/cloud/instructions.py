"""What is printed for people to paste, once a connector runs on this machine."""

from __future__ import annotations

from collections.abc import Collection

from lambdas.contracts import EVENT_DETAIL_TYPE, Output
from stacks.settings import Settings

_AUDIENCES = """
  # an audience of one person, delivered from S3
  printf '%s' jane@example.com | openssl dgst -sha256 -r | cut -d' ' -f1 > /tmp/audience.csv
  aws s3 cp /tmp/audience.csv "s3://$BUCKET/tiktok/My first audience/EMAIL_SHA256/audience.csv"
  curl -s "$TIKTOK_URL/_control/audiences"
"""
_EVENTS = """
  # a purchase on a website, checked here, delivered from S3 under the name of the pixel
  printf '%s\\n' event,event_time,email,page_url,value,currency \\
      "Purchase,$(date -u +%Y-%m-%dT%H:%M:%SZ),jane@example.com,https://shop.example/thanks,12.50,EUR" > /tmp/events.csv
  .venv/bin/python -m cli validate /tmp/events.csv --source web
  aws s3 cp /tmp/events.csv "s3://$BUCKET/events/web/Emulated pixel/events.csv"

  # a purchase in a shop, live: by the queue, and once more by the event bus; TikTok counts it once
  event='{{"source": "offline", "event_source": "Emulated shops", "fields": {{"event": "Purchase",
      "event_time": '$(date +%s)', "email": "jane@example.com", "value": 12.5, "currency": "EUR"}}}}'
  aws sqs send-message --endpoint-url "$AWS_ENDPOINT_URL" --queue-url "$LIVE_EVENT_QUEUE_URL" --message-body "$event"
  aws events put-events --entries "$(python3 -c 'import json, sys; print(json.dumps([dict(
      Source="{bus_source}", DetailType="{detail_type}", Detail=sys.argv[1])]))' "$event")"
"""
_TEXT = """
Paste this to try it (the AWS CLI is not part of the project):

  unset AWS_PROFILE AWS_SESSION_TOKEN; set -a; . {env}; set +a
{samples}
  # what became of it, a few seconds later; what could not be delivered, and why
  .venv/bin/python -m cli status
  aws s3 ls --recursive "s3://$BUCKET/receipts/"

  # the ledger, and the credentials
  aws dynamodb scan --table-name "$LEDGER_TABLE"
  aws secretsmanager get-secret-value --secret-id "$SECRET_ID"

TikTok emulator: {tiktok}
Its events manager: {tiktok}/events
Log of the embedded AWS: {log}
Stop it with: make local-down
"""


def instructions(outputs: Collection[Output], *, env: str, tiktok: str, log: object) -> str:
    """How to try what is deployed: the pipelines whose queues are among the stack's outputs.

    ``env`` is the file with the environment as a shell names it, ``tiktok`` the emulator's address.
    """
    events = _EVENTS.format(bus_source=Settings().events_bus_source, detail_type=EVENT_DETAIL_TYPE)
    samples = (_AUDIENCES if Output.QUEUE_URL in outputs else "") + (
        events if Output.LIVE_EVENT_QUEUE_URL in outputs else ""
    )
    return _TEXT.format(env=env, samples=samples, tiktok=tiktok, log=log)
