"""Outputs that cannot be written are found out before, and files are whole or as they were."""

import os
import re
import stat
import tempfile
from pathlib import Path

import pytest

from commands.outputs import check_file, check_folder, whole, write_if_changed, write_text


def test_a_file_that_can_be_written_is_not_made(tmp_path):
    check_file(tmp_path / "new" / "file")
    assert list(tmp_path.iterdir()) == [tmp_path / "new"]
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize(("make", "path", "sentence"), [
    (lambda p: (p / "a").mkdir(), "a", "is a folder, and a file is to be written"),
    (lambda p: (p / "a").touch(), "a/b", "a is a file, and a folder is needed there"),
    (lambda p: (p / "a").touch(), "a/b/c", "a is a file, and a folder is needed there"),
    (lambda p: (p / "a").touch(0o444), "a", "is there and may not be written"),
    (lambda p: (p / "a").mkdir(0o555), "a/b", "may not be written"),
    (lambda p: (p / "a").symlink_to(p / "a"), "a", "a cannot be written: "),
    (lambda p: None, "x" * 300, "cannot be written"),
    (lambda p: None, "y/" + "x" * 300, "cannot be written"),
    (lambda p: None, "", "is a folder, and a file is to be written"),
])
def test_what_cannot_be_written_is_a_sentence(tmp_path, make, path, sentence):
    make(tmp_path)
    with pytest.raises(ValueError, match=sentence):
        check_file(tmp_path / path)


def test_a_missing_folder_may_be_a_mistake(tmp_path):
    with pytest.raises(ValueError, match=f"there is no folder {re.escape(str(tmp_path))}/a"):
        check_file(tmp_path / "a" / "b", makes_folder=False)


def test_a_file_in_place_of_a_folder_is_a_sentence(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(ValueError, match="a is a file, and a folder is needed there"):
        check_folder(tmp_path / "a")
    with pytest.raises(ValueError, match=r"nothing can be written in /proc|may not be written"):
        check_folder(tmp_path / "/proc/self/new")


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a"
    write_text(path, "before µ")
    path.chmod(0o640)
    with pytest.raises(KeyboardInterrupt), whole(path) as file:
        file.write(b"half")
        file.flush()
        raise KeyboardInterrupt
    assert path.read_text(encoding="utf-8") == "before µ"
    with path.open(encoding="utf-8") as reader:
        write_text(path, "after")
        assert reader.read() == "before µ"
    assert path.read_text(encoding="utf-8") == "after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one_and_a_device_a_device(tmp_path):
    (tmp_path / "target").write_text("old", encoding="utf-8")
    (tmp_path / "link").symlink_to("target")
    check_file(tmp_path / "link")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text(encoding="utf-8") == "new"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_file(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()


def test_an_unchanged_file_is_not_written(tmp_path):
    path = tmp_path / "a"
    assert write_if_changed(path, "µ")
    before = path.stat().st_mtime_ns, path.stat().st_ino
    assert not write_if_changed(path, "µ")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert write_if_changed(path, "m")


def test_a_file_in_shared_memory_is_a_file():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder) / "result"
        path.write_text("old", encoding="utf-8")
        with pytest.raises(KeyboardInterrupt), whole(path) as file:
            file.write(b"ne")
            raise KeyboardInterrupt
        assert path.read_text(encoding="utf-8") == "old"
