"""``audiences``: which ones the connector knows, and the end of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cli.aws import Aws, pass_aws
from cli.routes import AUDIENCES
from cli.stack import find_stack, stack_option
from cli.terminal import console, count, printable, table
from lambdas.audiences.formats import STREAMING
from lambdas.aws.registry import NAMES_ATTRIBUTE, NAMES_PREFIX
from lambdas.contracts import AUDIENCES_PREFIX
from lambdas.tiktok.segments import LONGEST_NAME

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# TikTok cuts longer names on this route (API reference section 4.1).


@click.group(short_help="List audiences, or delete one.")
def audiences() -> None:
    """List the audiences that the connector has written to, or delete one at TikTok.

    \b
    Example:
      tiktok-connector audiences list
    """


@audiences.command(name="list", short_help="List the audiences that the connector has written to.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@stack_option
@pass_aws
def list_(aws: Aws, as_json: bool, stack_name: str) -> None:
    """List every audience name that a file was ever for, by advertiser; TikTok need not have it.

    Who is suppressed is removed from these. An audience that was deleted since keeps its name here.

    \b
    Example:
      tiktok-connector audiences list --json
    """
    stack = find_stack(aws.client("cloudformation"), stack_name)
    known = sorted(_read_names(aws.client("dynamodb"), stack.ledger_table))
    if as_json:
        shown = [{"advertiser_id": advertiser_id, "name": name} for advertiser_id, name in known]
        click.echo(json.dumps({"stack": stack.name, "audiences": shown}, indent=2))
    elif known:
        console().print(table(count(len(known), "audience"), ("Advertiser", "Audience"), known))
    else:
        click.echo("The connector has not written to any audience yet.")


@audiences.command(short_help="Delete an audience at TikTok.")
@click.argument("name", callback=lambda _context, _parameter, value: _expect_name(value))
@click.option("--yes", is_flag=True, help="Do not ask.")
@stack_option
@pass_aws
def delete(aws: Aws, name: str, yes: bool, stack_name: str) -> None:
    """Delete the audience NAME at TikTok, whatever kind it is. Files that come later create a new one.

    It takes its place in the order of arrival: an object is put into the bucket, and files that arrived before it have
    no effect any more. Needs allow_audience_deletion in cdk.context.json.

    Exit status: 0 when the deletion was asked for; 1 otherwise; 2 when the command is wrong.

    \b
    Example:
      tiktok-connector audiences delete 'Loyal customers'
    """
    stack = find_stack(aws.client("cloudformation"), stack_name)
    stack.expect_routes([AUDIENCES])
    shown = printable(name)
    if not yes and not click.confirm(f"Delete the audience {shown} at TikTok for good, with everybody in it?"):
        click.echo("Nothing was deleted.")
        raise click.exceptions.Exit(1)
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    key = f"{AUDIENCES_PREFIX}{name}/{STREAMING.name}/delete_audience/{now}.txt"
    aws.client("s3").put_object(Bucket=stack.bucket, Key=key, Body=b"")
    click.echo(
        f"The deletion of {shown} is on its way: {printable(key)}\n"
        "'status' shows its receipt when it is done, or a dead letter when it was refused."
    )


def _expect_name(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise click.BadParameter("it is not valid Unicode.") from None
    if not value or "/" in value:
        raise click.BadParameter("an audience's name has at least one character and no '/'.")
    if len(value) > LONGEST_NAME:
        raise click.BadParameter(
            f"it has {len(value)} characters, and audiences with more than {LONGEST_NAME} are out of reach here. "
            "Delete it in TikTok Ads Manager."
        )
    return value


def _read_names(dynamodb: DynamoDBClient, ledger_table: str) -> Iterator[tuple[str, str]]:
    """Advertiser id and name of each audience in the ledger."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=ledger_table,
        FilterExpression="begins_with(pk, :prefix)",
        ProjectionExpression="pk, #names",
        ExpressionAttributeNames={"#names": NAMES_ATTRIBUTE},
        ExpressionAttributeValues={":prefix": {"S": NAMES_PREFIX}},
    )
    for page in pages:
        for item in page["Items"]:
            for name in item[NAMES_ATTRIBUTE]["SS"]:
                yield item["pk"]["S"].removeprefix(NAMES_PREFIX), name
