import pytest

from lambdas.audiences.rows import check_file
from test.tiktok.make_test_audiences import FILES, FOLDER, ROWS, hashed


@pytest.mark.parametrize("name", FILES)
def test_a_test_audience_is_what_its_script_writes(name: str) -> None:
    content = (FOLDER / name).read_bytes()

    assert content == hashed(FILES[name]()).encode()
    tally = check_file([content]).tally
    assert (tally.read, tally.valid) == (ROWS, ROWS)
    assert len(set(content.split())) == ROWS
