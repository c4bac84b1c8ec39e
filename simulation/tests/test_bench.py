"""``mixdit bench simulation``: what it refuses. Its figures are in `test_machine`."""

import pytest

from commands.tests.calling import call


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["--rows", "0"], "rows must be 1 to 128, not 0"),
    (["--cols", "129"], "cols must be 1 to 128, not 129"),
    (["--k", "7000"], "K = 7000 is over the machine's limit of 6144"),
    (["--m", "0"], "greater than or equal to 1"),
])
def test_what_the_machine_cannot_be_or_do_is_a_mistake(arguments, sentence):
    found = call("bench", "simulation", *arguments)
    assert found.exit_code == 2 and sentence in found.stderr, found.output
    assert "Traceback" not in found.output
