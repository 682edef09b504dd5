"""What AWS and TikTok say, and what we make of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from lambdas.aws.failures import aws_failures
from lambdas.aws.object_store import S3ObjectStore
from lambdas.aws.secret import SecretCredentials
from lambdas.objects import LARGEST_DOCUMENT, UNVERSIONED, ObjectVersion
from lambdas.tiktok.audiences import AudienceApi
from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.errors import (
    CredentialsNotSet,
    FatalError,
    InvalidInput,
    RetryableError,
    TikTokRejected,
    TikTokUnavailable,
)
from lambdas.tiktok.models import CalculateType, Credentials
from lambdas.tiktok.protocol import Answer, Request
from test.support.stage import REGION

TOKEN = "secret-12345678901-words"  # noqa: S105 - not one


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AccessDenied", FatalError),
        ("AccessDeniedException", FatalError),
        ("KMS.DisabledException", FatalError),
        ("DecryptionFailure", FatalError),
        ("ResourceNotFoundException", FatalError),
        ("ThrottlingException", RetryableError),
        ("InternalError", RetryableError),
    ],
)
def test_what_aws_refuses_wakes_someone_and_what_it_fails_at_is_tried_again(code: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=code), aws_failures("doing something"):
        raise ClientError({"Error": {"Code": code, "Message": "m"}}, "Operation")


def test_an_unreachable_aws_is_tried_again() -> None:
    with pytest.raises(RetryableError), aws_failures("doing something"):
        raise EndpointConnectionError(endpoint_url="https://somewhere")


class Bucket:
    """A versioned bucket with one object."""

    def __init__(self) -> None:
        self.s3 = boto3.client("s3", region_name=REGION)
        self.s3.create_bucket(Bucket="data")
        self.s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
        self.store = S3ObjectStore(self.s3, bucket="data")

    def put(self, content: bytes) -> str:
        return self.s3.put_object(Bucket="data", Key="key", Body=content)["VersionId"]

    def read(self, version_id: str, span: tuple[int, int] | None = None) -> bytes:
        with self.store.read(ObjectVersion("data", "key", version_id, 1, ""), span) as chunks:
            return b"".join(chunks)


def test_the_version_that_was_announced_is_read_and_of_it_the_span() -> None:
    bucket = Bucket()
    first = bucket.put(b"0123456789")
    bucket.put(b"another one")

    assert bucket.read(first) == b"0123456789"
    assert bucket.read(first, (2, 5)) == b"234"
    assert bucket.read(UNVERSIONED) == b"another one"


def test_a_delete_marker_or_a_missing_version_is_a_missing_object() -> None:
    bucket = Bucket()
    gone = bucket.put(b"content")
    bucket.s3.delete_object(Bucket="data", Key="key", VersionId=gone)
    bucket.put(b"content")
    marker = bucket.s3.delete_object(Bucket="data", Key="key")["VersionId"]

    for version_id in (gone, marker, UNVERSIONED):
        with pytest.raises(InvalidInput) as raised:
            bucket.read(version_id)
        assert raised.value.reason == "object_missing"


def test_the_current_version_of_a_document_is_read() -> None:
    bucket = Bucket()
    bucket.put(b"old")
    bucket.put(b"new")

    assert bucket.store.read_current("key") == b"new"


def test_a_document_that_is_missing_or_deleted_is_none() -> None:
    bucket = Bucket()
    bucket.put(b"content")
    bucket.s3.delete_object(Bucket="data", Key="key")

    assert bucket.store.read_current("key") is None
    assert bucket.store.read_current("tiktok/No such/audience.json") is None


@pytest.mark.parametrize("size", [0, 1, LARGEST_DOCUMENT, LARGEST_DOCUMENT + 1, LARGEST_DOCUMENT + 2, 1 << 20])
def test_of_a_document_that_is_too_large_no_more_is_read_than_shows_it(size: int) -> None:
    bucket = Bucket()
    bucket.put(b"x" * size)

    content = bucket.store.read_current("key")

    assert content is not None
    assert len(content) == min(size, LARGEST_DOCUMENT + 1)


def test_a_document_that_may_not_be_read_is_not_taken_for_a_missing_one() -> None:
    with pytest.raises(FatalError, match="NoSuchBucket"):
        S3ObjectStore(boto3.client("s3", region_name=REGION), bucket="elsewhere").read_current("key")


@pytest.fixture
def secret() -> Callable[[str], SecretCredentials]:
    client = boto3.client("secretsmanager", region_name=REGION)
    client.create_secret(Name="credentials", SecretString="{}")

    def holding(text: str) -> SecretCredentials:
        client.put_secret_value(SecretId="credentials", SecretString=text)
        return SecretCredentials(client, secret_id="credentials")  # noqa: S106 - a name

    return holding


@pytest.mark.parametrize(
    "values",
    [
        {"ACCESS_TOKEN": "REPLACE_ME", "ADVERTISER_ID": "7000000000000000001"},
        {"ACCESS_TOKEN": "token", "ADVERTISER_ID": "REPLACE_ME"},
        {"ACCESS_TOKEN": "", "ADVERTISER_ID": "7000000000000000001"},
        {"ACCESS_TOKEN": "token", "ADVERTISER_ID": "my advertiser"},
        {"ACCESS_TOKEN": "token", "ADVERTISER_ID": "\u0661\u0662"},
        {"ACCESS_TOKEN": "two\nlines", "ADVERTISER_ID": "7000000000000000001"},
        {"ACCESS_TOKEN": "tok\u00e9n", "ADVERTISER_ID": "7000000000000000001"},
        {"access_token": "token", "advertiser_id": "7000000000000000001"},
        [],
        "text",
        None,
    ],
)
def test_a_secret_that_cannot_be_right_names_its_remedy_and_no_token(
    secret: Callable[[str], SecretCredentials], values: Any
) -> None:
    with pytest.raises(CredentialsNotSet, match="ACCESS_TOKEN") as raised:
        secret(json.dumps(values)).current()

    assert "two" not in str(raised.value)


def test_blanks_around_pasted_credentials_do_no_harm(secret: Callable[[str], SecretCredentials]) -> None:
    pasted = json.dumps({"ACCESS_TOKEN": " token\n", "ADVERTISER_ID": 7000000000000000001})

    assert secret(pasted).current() == Credentials("token", "7000000000000000001")


def test_a_secret_is_read_once_and_again_when_told(secret: Callable[[str], SecretCredentials]) -> None:
    credentials = secret(json.dumps({"ACCESS_TOKEN": "old", "ADVERTISER_ID": "1"}))
    credentials.current()
    secret(json.dumps({"ACCESS_TOKEN": "new", "ADVERTISER_ID": "1"}))

    assert credentials.current().access_token == "old"  # noqa: S105 - not one
    assert credentials.refresh().access_token == "new"  # noqa: S105 - not one
    assert credentials.current().access_token == "new"  # noqa: S105 - not one


AGENCY: dict[str, Any] = {"ACCESS_TOKEN": "token", "ADVERTISER_ID": "1", "ADVERTISERS": {"acme": "2", "b-2.c_d": 3}}


@pytest.mark.parametrize(("alias", "advertiser_id"), [(None, "1"), ("acme", "2"), ("b-2.c_d", "3")])
def test_an_alias_stands_for_the_advertiser_that_the_secret_gives_it(
    secret: Callable[[str], SecretCredentials], alias: str | None, advertiser_id: str
) -> None:
    credentials = secret(json.dumps(AGENCY))

    assert credentials.current(alias) == Credentials("token", advertiser_id)
    assert credentials.refresh(alias) == Credentials("token", advertiser_id)


@pytest.mark.parametrize(
    ("advertisers", "listed"), [({}, "none"), ({"globex": "2", "acme": "3"}, "acme, globex"), (None, "none")]
)
def test_an_unknown_alias_is_rejected_with_those_that_there_are(
    secret: Callable[[str], SecretCredentials], advertisers: dict[str, str] | None, listed: str
) -> None:
    content = {**AGENCY, "ADVERTISERS": advertisers}
    if advertisers is None:
        del content["ADVERTISERS"]
    credentials = secret(json.dumps(content))

    with pytest.raises(InvalidInput, match=f"'initech'.*: {listed}\\. Add it") as raised:
        credentials.current("initech")

    assert raised.value.reason == "unknown_advertiser"
    assert credentials.current() == Credentials("token", "1"), "the others are served all the same"


def test_an_alias_that_was_added_meanwhile_is_found_without_being_told(
    secret: Callable[[str], SecretCredentials],
) -> None:
    credentials = secret(json.dumps(AGENCY))
    credentials.current()
    secret(json.dumps({**AGENCY, "ADVERTISERS": {"initech": "4"}}))

    assert credentials.current("acme").advertiser_id == "2"
    assert credentials.current("initech").advertiser_id == "4"


@pytest.mark.parametrize(
    "advertisers",
    [
        None,
        [],
        ["acme"],
        "acme",
        {"acme": "two"},
        {"acme": ""},
        {"acme": None},
        {"acme": True},
        {"acme": 1.5},
        {"acme": {"id": "2"}},
        {"acme": "\u0661"},
        {"": "2"},
        {"a b": "2"},
        {"acme\n": "2"},
        {"a" * 65: "2"},
        {"jane.doe@example.com": "2"},
    ],
)
def test_a_map_of_advertisers_that_cannot_be_right_is_told_with_its_key(
    secret: Callable[[str], SecretCredentials], advertisers: Any
) -> None:
    with pytest.raises(CredentialsNotSet, match="ADVERTISERS") as raised:
        secret(json.dumps({**AGENCY, "ADVERTISERS": advertisers})).current()

    assert "jane" not in str(raised.value)


def test_the_secret_shows_its_token_in_no_representation(secret: Callable[[str], SecretCredentials]) -> None:
    credentials = secret(json.dumps({**AGENCY, "ACCESS_TOKEN": TOKEN}))
    credentials.current()

    assert TOKEN not in repr(vars(credentials))


class Parrot:
    """A transport that always answers the same."""

    def __init__(self, **envelope: Any) -> None:
        self.envelope = {"code": 0, "message": "OK", "request_id": "2026", "data": {}, **envelope}

    def send(self, request: Request, access_token: str) -> Answer:
        return Answer(200, json.dumps(self.envelope).encode())


def api_that_hears(**envelope: Any) -> AudienceApi:
    class NoPacer:
        def wait(self) -> None: ...

    credentials = Credentials(TOKEN, "7000000000000000001")
    return AudienceApi(TikTokClient(Parrot(**envelope), credentials, pacer=NoPacer(), sleep=lambda _: None))


@pytest.mark.parametrize("data", [{}, {"custom_audience_id": None}, {"custom_audience_id": ""}, {"audience_id": "1"}])
def test_a_create_that_succeeds_without_an_id_may_have_happened(data: Any) -> None:
    with pytest.raises(TikTokUnavailable) as raised:
        api_that_hears(data=data).create("name", calculate_type=CalculateType.EMAIL_SHA256, file_paths=["a" * 16])

    assert raised.value.may_have_happened


def test_an_upload_that_succeeds_without_a_file_path_is_not_taken_for_one() -> None:
    with pytest.raises(TikTokUnavailable):
        api_that_hears(data={}).upload_file(
            io.BytesIO(b"x"), name="part.csv", calculate_type=CalculateType.EMAIL_SHA256
        )


@pytest.mark.parametrize("row", [{"name": None}, {"name": 5}, {"calculate_type": []}, {"audience_type": {}}])
def test_a_listed_audience_of_odd_values_does_no_harm(row: Any) -> None:
    listing = {"list": [{"audience_id": "1", **row}], "page_info": {"total_number": 1, "total_page": 1}}

    [audience] = api_that_hears(data=listing).list_audiences().audiences

    assert audience.name == ""
    assert audience.calculate_type == ""


@pytest.mark.parametrize("answer", [{"data": {"list": []}}, {"code": 40002}, {"code": 40007}])
def test_an_id_that_tiktok_does_not_know_is_no_audience_however_it_says_so(answer: Any) -> None:
    assert api_that_hears(**answer).find_audience("1") is None


def test_another_error_is_not_taken_for_an_unknown_id() -> None:
    with pytest.raises(TikTokRejected):
        api_that_hears(code=40300).find_audience("1")


@pytest.mark.parametrize("place", [0, 270, 290, 299])
def test_no_piece_of_a_token_is_left_where_a_message_is_cut(place: int) -> None:
    with pytest.raises(TikTokRejected) as raised:
        api_that_hears(code=40002, message="x" * place + TOKEN).list_audiences()

    assert TOKEN[:6] not in str(raised.value)


def test_a_token_that_tiktok_quotes_goes_no_further() -> None:
    with pytest.raises(Exception, match="40002") as raised:
        api_that_hears(code=40002, message=f"bad token {TOKEN}", request_id=f"x{TOKEN}" * 10).list_audiences()

    assert TOKEN not in str(raised.value)
