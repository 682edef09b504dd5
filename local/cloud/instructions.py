"""What is printed for people to paste, once a connector runs on this machine."""

from __future__ import annotations

from collections.abc import Collection

from lambdas.contracts import EVENT_DETAIL_TYPE, Output

_AUDIENCES = """
  # an audience of one person, delivered from S3
  printf '%s' jane@example.com | openssl dgst -sha256 -r | cut -d' ' -f1 > /tmp/audience.csv
  aws s3 cp /tmp/audience.csv "s3://$BUCKET/tiktok/My first audience/EMAIL_SHA256/audience.csv"
"""
_EVENTS = """
  # a purchase on a website, checked here, delivered from S3 under the name of the pixel
  printf '%s\\n' event,event_time,email,page_url,value,currency \\
      "Purchase,$(date -u +%Y-%m-%dT%H:%M:%SZ),jane@example.com,https://shop.example/thanks,12.50,EUR" > /tmp/events.csv
  .venv/bin/python -m cli validate /tmp/events.csv --source web
  aws s3 cp /tmp/events.csv "s3://$BUCKET/events/web/Emulated pixel/events.csv"

  # a purchase in a shop, live, by the queue
  event='{"source": "offline", "event_source": "7000000000000000201", "fields": {"event": "Purchase",
      "event_time": '$(date +%s)', "email": "jane@example.com", "value": 12.5, "currency": "EUR"}}'
  aws sqs send-message --endpoint-url "$AWS_ENDPOINT_URL" --queue-url "$LIVE_EVENT_QUEUE_URL" --message-body "$event"
"""
_BUS = """
  # the same by the event bus; TikTok counts it once
  aws events put-events --entries "$(python3 -c 'import json, sys; print(json.dumps([dict(
      Source="{bus_source}", DetailType="{detail_type}", Detail=sys.argv[1])]))' "$event")"
"""
_TEXT = """
Paste this to try it (the AWS CLI is not part of the project):

  unset AWS_PROFILE AWS_SESSION_TOKEN; set -a; . {env}; set +a
{samples}
  # what became of it, some seconds later; what could not be delivered, and why
  .venv/bin/python -m cli status
  aws s3 ls --recursive "s3://$BUCKET/receipts/"
  curl -s "$TIKTOK_URL/_control/audiences" "$TIKTOK_URL/_control/event_sources"

  # the ledger, and the credentials
  aws dynamodb scan --table-name "$LEDGER_TABLE"
  aws secretsmanager get-secret-value --secret-id "$SECRET_ID"

TikTok emulator: {tiktok}
Its events manager: {tiktok}/events
Log of the embedded AWS: {log}
Stop it with: make local-down
"""


def instructions(outputs: Collection[Output], *, bus_source: str, env: str, tiktok: str, log: object) -> str:
    """How to try what is deployed: the pipelines whose queues are among the stack's outputs.

    ``bus_source`` is the deployment's ``events_bus_source``, ``env`` the file with the environment as a shell names it,
    ``tiktok`` the emulator's address.
    """
    samples = _AUDIENCES if Output.QUEUE_URL in outputs else ""
    if Output.LIVE_EVENT_QUEUE_URL in outputs:
        samples += _EVENTS
        if bus_source:
            samples += _BUS.format(bus_source=bus_source, detail_type=EVENT_DETAIL_TYPE)
    return _TEXT.format(env=env, samples=samples, tiktok=tiktok, log=log)
