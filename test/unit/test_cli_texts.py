import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    SSLError,
)
from click.testing import CliRunner

from cli.aws import Aws, explain
from cli.main import main
from cli.terminal import age, printable

COMMANDS_OF_AWS = (
    ["audiences", "delete", "Foodies", "--yes"],
    ["audiences", "list"],
    ["discard", "--key", "*"],
    ["replay"],
    ["status"],
    ["suppressions"],
)


def answer(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "ReceiveMessage")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (NoCredentialsError(), "AWS_PROFILE"),
        (NoRegionError(), "AWS_REGION"),
        (ProfileNotFound(profile="nobody"), "AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "AWS_ENDPOINT_URL"),
        (SSLError(endpoint_url="https://127.0.0.1:1", error=OSError("self-signed")), "AWS_CA_BUNDLE"),
        (answer("ExpiredToken"), "Sign in again"),
        (answer("InvalidClientTokenId"), "Sign in again"),
        (answer("AccessDenied"), "Ask for the right"),
        (answer("KmsAccessDenied"), "kms:Decrypt"),
        (answer("AWS.SimpleQueueService.NonExistentQueue"), "Deploy the stack again"),
        (answer("NoSuchBucket"), "Deploy the stack again"),
        (answer("InternalError", "two\nlines"), "Try again later"),
    ],
)
def test_what_aws_refuses_is_told_in_one_line_with_the_remedy(error: BotoCoreError | ClientError, remedy: str) -> None:
    def refuse(_service: str) -> object:
        raise error

    for command in COMMANDS_OF_AWS:
        result = CliRunner().invoke(main, command, obj=Aws(refuse))
        assert result.exit_code == 1
        assert result.output == f"Error: {explain(error)}\n"
        assert remedy in result.output
        assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    ["audiences", "audiences delete", "audiences list", "discard", "replay", "status", "suppressions", "validate"],
)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = CliRunner().invoke(main, [*command.split(), "--help"])

    assert result.exit_code == 0
    assert f"Example:\n    tiktok-connector {command} " in result.output


@pytest.mark.parametrize("options", [[], ["--yes"], ["--stack", "Second"]])
def test_discard_without_a_choice_is_a_usage_error_and_asks_aws_nothing(options: list[str]) -> None:
    def unreachable(service: str) -> object:
        pytest.fail(f"asked {service}")

    result = CliRunner().invoke(main, ["discard", *options], obj=Aws(unreachable))

    assert result.exit_code == 2
    assert "give --reason, --key or both" in result.output


def test_replay_does_not_confirm_everything_at_once_and_asks_aws_nothing() -> None:
    def unreachable(service: str) -> object:
        pytest.fail(f"asked {service}")

    result = CliRunner().invoke(main, ["replay", "--confirm", "--yes"], obj=Aws(unreachable))

    assert result.exit_code == 2
    assert "give --reason, --key or both" in result.output


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "at least one character"),
        ("a/b", "no '/'"),
        ("ü" * 71, "it has 71 characters"),
        ("half \ud83d of a pair", "not valid Unicode"),
    ],
)
def test_an_audience_that_cannot_be_deleted_is_a_usage_error_and_asks_aws_nothing(name: str, said: str) -> None:
    def unreachable(service: str) -> object:
        pytest.fail(f"asked {service}")

    result = CliRunner().invoke(main, ["audiences", "delete", name, "--yes"], obj=Aws(unreachable))

    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Käufer 日本 🎯", "Käufer 日本 🎯"),
        ("a\x1b]0;title\x07b", "a\\x1b]0;title\\x07b"),
        ("two\r\nlines", "two\\r\\nlines"),
        ("half \ud83d of a pair", "half \\ud83d of a pair"),
        ("right-to-left \u202e", "right-to-left \\u202e"),
    ],
)
def test_texts_from_outside_are_shown_harmlessly(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.terminal._encoding", lambda: "utf-8")

    assert printable(text) == shown


def test_texts_that_the_terminal_cannot_show_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.terminal._encoding", lambda: "ascii")

    assert printable("Käufer") == "K\\xe4ufer"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (-3, "0 s"), (61.9, "1 min 1 s"), (900, "15 min"), (90_000, "1 d 1 h"), (86_460, "1 d"), (None, None)],
)
def test_an_age_is_shown_in_its_largest_units(seconds: float | None, shown: str | None) -> None:
    assert age(seconds) == shown
