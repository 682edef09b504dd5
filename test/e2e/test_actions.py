"""The deployed stack: what each action leaves of an audience, what holds a replace, and how an audience ends."""

from __future__ import annotations

import json

import pytest

from test.e2e.connector import Connector
from test.support.builders import any_hashes, as_file, members_digest
from test.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("sizes_are_shown_at_once")


def test_each_action_leaves_exactly_the_members_that_it_says(deployed: Connector) -> None:
    people = any_hashes(4_000)
    told = []
    members = []

    for key, given in (
        ("email_sha256/1.csv", people[:2_500]),
        ("email_sha256/append/2.csv", people[2_000:3_000]),
        ("email_sha256/REMOVE/3.csv", people[:1_000]),
        ("email_sha256/Replace/4.csv", people[1_500:]),
    ):
        told.append(deployed.deliver(f"tiktok/Every action/{key}", as_file(given))["action"])
        [audience] = deployed.audiences("Every action")
        members.append(audience["members_sha256"])

    assert told == ["CREATE", "APPEND", "REMOVE", "REPLACE"]
    assert members == [
        members_digest(expected) for expected in (people[:2_500], people[:3_000], people[1_000:3_000], people[1_500:])
    ]


def test_a_replace_that_would_shrink_the_audience_is_held_until_it_is_confirmed(deployed: Connector) -> None:
    people, fewer = any_hashes(3_000), any_hashes(1_200)
    key = "tiktok/Guarded/email_sha256/replace/2.csv"
    deployed.upload("tiktok/Guarded/audience.json", json.dumps({"max_shrink_ratio": 0.3}).encode())
    deployed.deliver("tiktok/Guarded/email_sha256/1.csv", as_file(people))

    held = deployed.deliver(key, as_file(fewer))
    letter = deployed.wait_for_dead_letter(key)
    [untouched] = deployed.audiences("Guarded")
    deployed.replay("--reason", "would_shrink", "--key", key, "--confirm")
    [receipt_key] = deployed.receipt_keys(key)
    confirmed = deployed.wait_for_delivery(receipt_key)

    assert (held["status"], held["reason"], letter["reason"]) == ("rejected", "would_shrink", "would_shrink")
    assert untouched["members_sha256"] == members_digest(people)
    assert confirmed["action"] == "REPLACE"
    [audience] = deployed.audiences("Guarded")
    assert audience["members_sha256"] == members_digest(fewer)


def test_an_audience_is_listed_and_deleted_by_command_and_a_later_file_makes_a_new_one(deployed: Connector) -> None:
    name = "Short-lived & small"
    later = any_hashes(1_100)
    first = deployed.deliver(f"tiktok/{name}/email_sha256/1.csv", as_file(any_hashes(1_200)))

    listed = json.loads(deployed.command("audiences", "list", "--json"))
    asked = deployed.command("audiences", "delete", name, "--yes")
    key = asked.splitlines()[0].partition(": ")[2]
    [receipt_key] = wait_until(lambda: deployed.receipt_keys(key), timeout=60)
    deleted = deployed.wait_for_receipt(receipt_key)
    left = deployed.audiences(name)
    second = deployed.deliver(f"tiktok/{name}/email_sha256/2.csv", as_file(later))

    assert name in {audience["name"] for audience in listed["audiences"]}
    assert (deleted["status"], deleted["action"]) == ("delivered", "DELETE")
    assert not left
    assert second["action"] == "CREATE"
    assert second["audience"]["id"] != first["audience"]["id"]
    [audience] = deployed.audiences(name)
    assert audience["members_sha256"] == members_digest(later)
