"""What is compared, and what should come out: section by section, in the order of the table of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.files import write_emails, write_events, write_hashes
from bench.measuring import MIB, Comparison, Measured, in_turns, median_of, ratios, run_side
from bench.servers import Servers, event_servers, servers

MOST_BYTES = 256 * MIB
_EVENT_TURNS = 3  # short ones instead of a long one: what else the machine does is then the same for both sides
_EVENTS_BY_JSON = (
    "web events of distinct people validated, hashed and batched on one core, by json.loads and json.dumps of the same "
    "rows"
)


@dataclass(frozen=True)
class Scale:
    """How much is measured: bytes of the one file that most is measured with, and of those for memory; turns.

    ``events`` are in the one file that their speed is measured with, ``memory_events`` in those for memory.
    """

    file_bytes: int
    memory_bytes: Sequence[int]
    email_rows: int
    events: int
    memory_events: Sequence[int]
    runs: int
    imports: int


WHOLE = Scale(10**9, (10**8, 10**9, 2 * 10**9), 2_000_000, 50_000, (10_000, 100_000, 1_000_000), runs=3, imports=15)
QUICK = Scale(10**8, (10**8, 2 * 10**8, 3 * 10**8), 200_000, 20_000, (10_000, 100_000), runs=3, imports=7)


def compare_hashed_rows(scale: Scale, folder: Path) -> Iterator[Comparison]:
    """Preparing the rows of a file, against MD5 alone over the same bytes."""
    for is_dirty, target, what in (
        (False, 0.5, "clean file of hashes: throughput of validating, cleaning, splitting and MD5, by MD5 alone"),
        (True, 0.3, "the same with 1 % dirty rows"),
    ):
        file = folder / "hashes.csv"
        write_hashes(file, scale.file_bytes, is_dirty=is_dirty)
        md5, ours = in_turns(
            scale.runs,
            lambda file=file: run_side("hashed_rows", "md5", file),  # type: ignore[misc]
            lambda file=file: run_side("hashed_rows", "connector", file),  # type: ignore[misc]
        )
        mb = scale.file_bytes / 10**6
        details = f"{mb / median_of(ours, 'seconds'):,.0f} of {mb / median_of(md5, 'seconds'):,.0f} MB/s on one core"
        yield Comparison(what, ratios(md5, ours, "seconds"), target, details=details)
        file.unlink()


def compare_deliveries(scale: Scale, folder: Path) -> Iterator[Comparison]:
    """From S3 to TikTok's last part, against a script, with and without its check."""
    file = folder / "hashes.csv"
    rows = write_hashes(file, scale.file_bytes)
    with servers(file) as both:
        ours, checked, unchecked = in_turns(
            scale.runs,
            _activation(both, file),
            _uploader(both, file, "checked"),
            _uploader(both, file, "unchecked"),
        )
    file.unlink()
    speeds = [rows / median_of(side, "seconds") / 1e6 for side in (ours, checked, unchecked)]
    yield Comparison(
        "delivery end to end: rows per second, by those of a script that checks line by line",
        ratios(checked, ours, "seconds"),
        3,
        details=f"{speeds[0]:.2f} of {speeds[1]:.2f} million rows/s",
    )
    yield Comparison(
        "its peak memory, by that of the same script",
        ratios(ours, checked, "peak_bytes"),
        0.25,
        at_most=True,
        details=f"{_mib(ours)} of {_mib(checked)} MiB",
    )
    yield Comparison(
        "delivery end to end: rows per second, by those of the script without any check",
        ratios(unchecked, ours, "seconds"),
        1,
        details=f"{speeds[0]:.2f} of {speeds[2]:.2f} million rows/s",
    )


def compare_memory(scale: Scale, folder: Path) -> Iterator[Comparison]:
    """The activation of files of several sizes."""
    measured: list[list[Measured]] = []
    for size in scale.memory_bytes:
        file = folder / "hashes.csv"
        write_hashes(file, size)
        with servers(file) as both:
            measured += in_turns(scale.runs, _activation(both, file))
        file.unlink()
    peaks = [[result["peak_bytes"] for result in results] for results in measured]
    names = ", ".join(f"{size / 10**6:,.0f}" for size in scale.memory_bytes)
    found = ", ".join(f"{_mib(results)}" for results in measured)
    yield Comparison(
        f"peak memory of the activation of {names} MB: the largest by the smallest",
        [max(turn) / min(turn) for turn in zip(*peaks, strict=True)],
        1.1,
        at_most=True,
        details=f"{found} MiB",
    )
    yield Comparison(
        "the largest of them",
        [max(turn) / MIB for turn in zip(*peaks, strict=True)],
        MOST_BYTES / MIB,
        at_most=True,
        unit=" MiB",
    )


def compare_emails(scale: Scale, folder: Path) -> Iterator[Comparison]:
    """Raw addresses: validated, normalised and hashed, against one line of Python that only hashes."""
    file = folder / "emails.csv"
    write_emails(file, scale.email_rows)
    sides = [lambda side=side: run_side("raw_emails", side, file) for side in ("naive", "connector", "pool")]
    naive, ours, pool = in_turns(scale.runs, *sides)
    file.unlink()
    speeds = [scale.email_rows / median_of(side, "seconds") / 1e6 for side in (naive, ours, pool)]
    yield Comparison(
        "raw e-mails validated, normalised and hashed: rows per second and core, by the naive loop",
        ratios(naive, ours, "seconds"),
        details=f"{speeds[1]:.2f} of {speeds[0]:.2f} million rows/s",
    )
    yield Comparison(
        "the same by a pool of two processes on two cores, by one process",
        ratios(ours, pool, "seconds"),
        details=f"{speeds[2]:.2f} of {speeds[1]:.2f} million rows/s",
    )


def compare_events(scale: Scale, folder: Path) -> Iterator[Comparison]:
    """Web events made ready to be sent, against reading and writing the same rows with the standard library."""
    file = folder / "events.jsonl"
    cases: tuple[tuple[str, float | None, str, dict[str, bool]], ...] = (
        (_EVENTS_BY_JSON, 0.15, "connector", {}),
        ("the same twice, as in a delivery: all is checked before anything is sent", None, "twice", {}),
        ("the same once, of people who recur ten times", None, "connector", {"recur": True}),
        ("the same, with phone numbers that only their library can read", None, "connector", {"as_uris": True}),
    )
    for what, target, side, options in cases:
        write_events(file, scale.events, **options)
        base, ours = in_turns(
            _EVENT_TURNS * scale.runs,
            lambda: run_side("events", "json", file),
            lambda side=side: run_side("events", side, file),  # type: ignore[misc]
        )
        speeds = [scale.events / median_of(results, "seconds") for results in (ours, base)]
        details = f"{speeds[0]:,.0f} of {speeds[1]:,.0f} events/s"
        yield Comparison(what, ratios(base, ours, "seconds"), target, details=details)
        file.unlink()


def compare_event_memory(scale: Scale, folder: Path) -> Iterator[Comparison]:
    """The delivery of files with few and with many events."""
    measured: list[list[Measured]] = []
    for count in scale.memory_events:
        file = folder / "events.jsonl"
        write_events(file, count)
        with event_servers(file) as urls:
            measured += in_turns(
                scale.runs,
                lambda file=file, urls=urls: run_side("event_delivery", *urls, file.name, file.stat().st_size),  # type: ignore[misc]
            )
        file.unlink()
    names = " / ".join(f"{count:,}" for count in scale.memory_events)
    yield Comparison(
        f"peak memory of the delivery of {names} events: the last by the first",
        ratios(measured[-1], measured[0], "peak_bytes"),
        1.1,
        at_most=True,
        details=f"{', '.join(map(_mib, measured))} MiB",
    )


def compare_cold_start(scale: Scale, _: Path) -> Iterator[Comparison]:
    """Importing the function, against importing what it cannot do without."""
    modules = ("lambdas.audiences.handler", "boto3,requests")
    for module in modules:
        run_side("imports", module)  # not counted: it writes the bytecode
    ours, base = in_turns(
        scale.imports,
        *(lambda module=module: run_side("imports", module) for module in modules),
    )
    yield Comparison(
        "cold start: import of the handler, by that of boto3 and requests alone",
        ratios(ours, base, "seconds"),
        1.5,
        at_most=True,
        details=f"{median_of(ours, 'seconds') * 1000:.0f} of {median_of(base, 'seconds') * 1000:.0f} ms",
    )


def compare_calls(_: Scale, folder: Path) -> Iterator[Comparison]:
    """Calls to TikTok for a small file on an audience that is known."""
    file = folder / "hashes.csv"
    write_hashes(file, 10**6)
    with servers(file) as both:
        calls = _activation(both, file, deliveries=2)()["calls"]
    file.unlink()
    names = ", ".join(sorted(path.removeprefix("dmp/custom_audience/").rstrip("/") for path in calls))
    yield Comparison(
        "calls to TikTok for a small file on an audience already known",
        [float(sum(calls.values()))],
        3,
        at_most=True,
        details=names,
        unit="",
    )


COMPARISONS: dict[str, Callable[[Scale, Path], Iterator[Comparison]]] = {
    "rows": compare_hashed_rows,
    "delivery": compare_deliveries,
    "memory": compare_memory,
    "emails": compare_emails,
    "events": compare_events,
    "event-memory": compare_event_memory,
    "cold-start": compare_cold_start,
    "calls": compare_calls,
}


def _activation(both: Servers, file: Path, *, deliveries: int = 1) -> Callable[[], Measured]:
    def run() -> Measured:
        both.forget_everything()
        return run_side(
            "activation",
            *(both.object_url, both.tiktok_url, both.token, both.advertiser_id),
            *("audience", file.name, file.stat().st_size, deliveries),
        )

    return run


def _uploader(both: Servers, file: Path, side: str) -> Callable[[], Measured]:
    def run() -> Measured:
        both.forget_everything()
        return run_side(
            "uploader",
            side,
            f"{both.object_url}/data/{file.name}",
            *(both.tiktok_url, both.token, both.advertiser_id, "audience"),
        )

    return run


def _mib(results: Sequence[Measured]) -> str:
    return f"{median_of(results, 'peak_bytes') / MIB:,.0f}"
