import pytest

from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.check import check_file
from lambdas.audiences.rows.reading import Reading
from test.tiktok.make_test_audiences import FILES, FOLDER, ROWS, hashed

EMAILS = Reading(FORMATS["email_sha256"])


@pytest.mark.parametrize("name", FILES)
def test_a_test_audience_is_what_its_script_writes(name: str) -> None:
    content = (FOLDER / name).read_bytes()

    assert content == hashed(FILES[name]()).encode()
    tally = check_file([content], EMAILS).tally
    assert (tally.read, tally.valid) == (ROWS, ROWS)
    assert len(set(content.split())) == ROWS
