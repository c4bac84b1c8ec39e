"""Files and folders that pages name are there."""

import re

import pytest

from commands.tests.test_documents import PAGES
from commands.tests.test_exit_codes import FOLDERS, ROOT

PATH = re.compile(rf"(?<![\w/.-])((?:{'|'.join([*FOLDERS, 'golden', 'docs'])})/[\w./-]*\w)")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_names_is_there(page):
    named = set(PATH.findall(page.read_text(encoding="utf-8")))
    assert {path for path in named if not (ROOT / path).exists()
            and not (page.parent / path).exists()} == set()


def test_the_pages_name_files():
    named = [path for page in PAGES for path in PATH.findall(page.read_text(encoding="utf-8"))]
    assert len(named) > 100 and "hw/host/c/mixdit.h" in named
