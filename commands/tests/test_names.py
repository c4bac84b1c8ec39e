"""Names are found whole or in short, and misspelt ones get the nearest."""

import re

import pytest

from commands.exit_codes import ExitCode
from commands.names import resolve
from commands.tests.calling import call

MISSPELT = {"strems/skid_bufer": "streams/skid_buffer", "scorebord": "scoreboard"}
"""With what the nearest name has in it."""

KNOWN = ("accelerator", "streams/skid_buffer", "streams/stream_buffer", "array/maker",
         "blocks/maker")


@pytest.mark.parametrize(("given", "meant"), [
    ("streams/skid_buffer", "streams/skid_buffer"), ("skid_buffer", "streams/skid_buffer"),
    ("accelerator", "accelerator"), ("blocks/maker", "blocks/maker")])
def test_a_name_is_found_whole_or_in_short(given, meant):
    assert resolve(given, KNOWN, "module") == meant


@pytest.mark.parametrize(("given", "sentence"), [
    ("skid_bufer", "there is no module 'skid_bufer'; did you mean streams/skid_buffer"),
    ("array/skid_buffer", "there is no module 'array/skid_buffer'; did you mean streams/skid_buff"),
    ("streams/skidbuffer", "there is no module 'streams/skidbuffer'; did you mean streams/skid_bu"),
    ("makers", "did you mean array/maker or blocks/maker?"),
    ("maker", "there are several modules 'maker': give array/maker or blocks/maker"),
    ("", f"there is no module ''; there are {', '.join(KNOWN)}"),
    ("xyzzy", f"there is no module 'xyzzy'; there are {', '.join(KNOWN)}")])
def test_what_is_not_there_gets_the_nearest(given, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        resolve(given, KNOWN, "module")


@pytest.mark.parametrize("command", ["coverage", "formal", "mutants"])
@pytest.mark.parametrize("given", MISSPELT)
def test_commands_name_the_nearest_module(command, given):
    result = call("check", command, given)
    assert result.exit_code == ExitCode.MISTAKE
    assert re.match(rf"there is no (module|proof) '{given}'; did you mean ", result.stderr)
    assert MISSPELT[given].rpartition("/")[2] in result.stderr
