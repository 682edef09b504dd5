"""The embedded AWS as a process: alone on its port, and gone without a trace when it is stopped."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from local.cloud import processes
from local.cloud.embedded_aws import REGION, EmbeddedAws
from test.support.aws_resources import a_function, invoke
from test.support.waiting import wait_until


def test_plain_http_and_unknown_certificates_are_refused(aws: EmbeddedAws) -> None:
    health = f"127.0.0.1:{aws.port}/_ministack/health"
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(f"http://{health}", timeout=5)
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"https://{health}", timeout=5, context=ssl.create_default_context())


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="the system's list of sockets is read from /proc")
def test_it_listens_on_the_loopback_interface_alone_and_on_no_well_known_port(aws: EmbeddedAws) -> None:
    assert aws.process is not None
    mine = {os.readlink(link) for link in Path(f"/proc/{aws.process.pid}/fd").iterdir() if link.is_symlink()}
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in mine:
                address, port = fields[1].split(":")
                listening.add((address, int(port, 16)))

    assert ("0100007F", aws.port) in listening  # 127.0.0.1, in the order of the bytes in memory
    assert {address for address, _ in listening} == {"0100007F"}
    assert 443 not in {port for _, port in listening}


def test_instances_run_side_by_side_and_share_nothing(aws: EmbeddedAws) -> None:
    with EmbeddedAws() as other:
        other.client("s3").create_bucket(Bucket="only-there", CreateBucketConfiguration={"LocationConstraint": REGION})
        buckets = {bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]}

    assert "only-there" not in buckets
    assert aws.is_healthy()


def test_stopping_ends_the_functions_too() -> None:
    with EmbeddedAws() as own:
        pid, _ = invoke(own, a_function(own, "import os\ndef handle(event, context):\n    return os.getpid()\n"))
        assert processes.is_alive(int(pid))

    assert not processes.is_alive(int(pid))
    assert not own.temporary.exists()


def test_stopping_does_not_wait_for_open_connections() -> None:
    with EmbeddedAws() as own:
        trust = ssl.create_default_context(cafile=own.certificate)
        connection = http.client.HTTPSConnection("127.0.0.1", own.port, context=trust)
        connection.request("GET", "/_ministack/health")
        assert connection.getresponse().read()
        began = time.monotonic()
        own.stop()

        assert time.monotonic() - began < processes.GRACE_SECONDS / 2
    connection.close()


def test_a_detached_instance_is_stopped_by_its_state() -> None:
    started = EmbeddedAws(detached=True).start()
    try:
        found = EmbeddedAws.from_state(json.loads(json.dumps(started.to_state())))
        assert found.is_running()
        assert found.is_healthy()
        found.stop()
        assert not started.is_running()
        assert not started.temporary.exists()
    finally:
        started.stop()


def test_it_ends_with_the_program_that_started_it() -> None:
    program = """
import json, os
from local.cloud.embedded_aws import EmbeddedAws
print(json.dumps(EmbeddedAws().start().to_state()), flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603
    orphan = EmbeddedAws.from_state(json.loads(done.stdout))
    try:
        wait_until(lambda: not orphan.is_running(), what="the server to end")
    finally:
        orphan.stop()


def test_a_process_that_got_the_same_id_meanwhile_is_left_alone() -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        processes.BackgroundProcess(bystander.pid, began="at another time").stop()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
