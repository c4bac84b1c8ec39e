"""What cannot be read counts as not there, and a record that cannot is named."""

import re

import pytest

from commands import kept

BROKEN = [b"", b'{"version": 1, "cou', b"\x94\x00", b"[1]", b"null"]


@pytest.mark.parametrize("content", BROKEN)
def test_what_cannot_be_read_counts_as_not_there(tmp_path, content):
    path = tmp_path / "kept.json"
    assert kept.result(path) == {}
    path.write_bytes(content)
    assert kept.result(path) == {}
    path.write_bytes(b'{"version": 1}')
    assert kept.result(path) == {"version": 1}


@pytest.mark.parametrize("content", [None, *BROKEN, b'{"version": 1}'])
def test_a_record_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "record.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"the record {re.escape(str(path))} is missing or broken"):
        kept.record(path, "modules")
    path.write_bytes(b'{"modules": {}}')
    assert kept.record(path, "modules") == {"modules": {}}
