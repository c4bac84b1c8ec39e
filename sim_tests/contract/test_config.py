"""Parameters of the generator: what it refuses, in which words, and what follows from the rest."""

import re

import pytest

from commands.tests.calling import call
from golden import fraction_bits
from hw.contract.config import Config
from hw.host.driver import Job, resident_tiles, result_rows, weight_passes

REFUSED = [
    (dict(rows=0), "rows must be 1 to 128, not 0"),
    (dict(cols=129), "cols must be 1 to 128, not 129"),
    (dict(k_max=0), "k_max must be 1 to 65535, not 0"),
    (dict(acc_width=25), "acc_width=25 is too narrow for k_max=6144"),
    (dict(acc_width=63), "acc_width must be at most 62, not 63"),
    (dict(float_formats=()), "float_formats must be some of fp32, fp16, bf16, not none"),
    (dict(float_formats=("fp8",)), "not fp8"),
    (dict(float_formats=("fp16", "fp16")), "float_formats names one twice: fp16, fp16"),
    (dict(act_bytes=24), "act_bytes must be a power of two"),
    (dict(act_bytes=2), "act_bytes must be a power of two from one element (4)"),
    (dict(act_bytes=64), "one block of the smallest format (32), not 64"),
    (dict(weight_bytes=1), "weight_bytes must be a power of two from 2 to 1024, not 1"),
    *[({name: (1 << 24) + 1}, f"{name} must be at most 16777216, not 16777217")
      for name in ("act_depth", "weight_depth", "stage_depth")],
    (dict(act_depth=383), "act_depth=383 cannot hold one tile of k_max=6144"),
    (dict(weight_depth=100), "weight_depth=100 cannot hold one tile"),
    (dict(stage_depth=3072), "stage_depth=3072 cannot hold one tile of k_max=6144"),
    (dict(tile_slots=12), "tile_slots must be a power of two from 2 to 256, not 12"),
    (dict(rounding="up"), "rounding must be half_even or truncate, not 'up'"),
    (dict(cell_stages=4), "cell_stages must be 0 to 3, not 4"),
    (dict(drain_lanes=12), "drain_lanes must be cols=8 times a power of two that does not exceed "
                           "rows=8, rounded up, not 12"),
    (dict(drain_lanes=24), "drain_lanes must be cols=8 times a power of two"),
    (dict(drain_lanes=128), "drain_lanes must be cols=8 times a power of two"),
    (dict(tables=3), "tables must be a power of two from 1 to 16, not 3"),
    (dict(tables=0), "tables must be a power of two from 1 to 16, not 0"),
]


@pytest.mark.parametrize(("parameters", "sentence"), REFUSED)
def test_impossible_parameters_are_refused_with_a_sentence(parameters, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Config(**parameters)


def test_a_number_of_the_wrong_type_is_refused():
    with pytest.raises(TypeError, match=re.escape("rows must be an integer, not 8.0")):
        Config(rows=8.0)
    with pytest.raises(TypeError, match=re.escape("tables must be an integer, not True")):
        Config(tables=True)
    for formats in (None, "fp32", ["fp32"]):
        with pytest.raises(TypeError, match="float_formats must be a tuple of names, not "):
            Config(float_formats=formats)


@pytest.mark.parametrize("acc_width", [26, 32, 40, 48])
@pytest.mark.parametrize("k_max", [1, 16, 17, 255, 4608, 6144])
def test_fraction_bits_are_golden_s(acc_width, k_max):
    assert Config.sized(acc_width=acc_width, k_max=k_max).fraction_bits == fraction_bits(
        acc_width, k_max)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 16, 64])
def test_sized_configurations_are_possible(size):
    config = Config.sized(rows=size, cols=size, k_max=1152)
    assert config.weight_bytes >= 2 * size
    assert config.act_depth >= config.k_blocks_max


@pytest.mark.parametrize("rows, cols, lanes", [
    (1, 1, 1), (5, 5, 5), (6, 4, 8), (8, 8, 16), (16, 16, 64), (16, 4, 16), (4, 16, 16),
    (64, 64, 64), (128, 1, 32), (128, 128, 128)])
def test_a_tile_of_five_beats_drains_in_time_where_sixty_four_lanes_do(rows, cols, lanes):
    config = Config.sized(rows=rows, cols=cols)
    assert config.drain_lanes == lanes
    assert config.drain_cycles <= 5 or lanes == max(64, cols)
    assert Config.sized(rows=rows, cols=cols, bus_bytes=32).drain_rows == 1


@pytest.mark.parametrize("given, sentence", [
    ({"foo": 4}, "a machine has no parameter 'foo'; it has rows, cols"),
    ({"rows": "4"}, "rows must be an integer, not '4'"),
    ({"k_max": None}, "k_max must be an integer, not None"),
    ({"bus_bytes": "32"}, "bus_bytes must be an integer, not '32'"),
    ({"bus_bytes": 32, "blocks_per_cycle": "x"}, "blocks_per_cycle must be an integer")])
def test_what_is_no_parameter_is_refused_before_anything_is_chosen(given, sentence):
    with pytest.raises(TypeError, match=re.escape(sentence)):
        Config.sized(**given)


@pytest.mark.parametrize("bus_bytes, formats, blocks, act_bytes", [
    (64, ("fp16",), 1, 32), (64, ("fp16",), 2, 64), (64, ("fp32",), 1, 64), (32, ("fp16",), 2, 32)])
def test_beats_of_activations_are_words_or_the_blocks_of_a_cycle(
        bus_bytes, formats, blocks, act_bytes):
    assert Config.sized(bus_bytes=bus_bytes, float_formats=formats,
                        blocks_per_cycle=blocks).act_bytes == act_bytes


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (70, 17, 100), (512, 128, 6144)])
def test_every_result_leaves_once(m, n, k):
    config = Config.sized(rows=8, cols=8)
    job = Job(m=m, n=n, k=k, tiles=resident_tiles(config, m, k))
    assert job.tiles * -(-k // 16) <= config.act_depth
    places = [(row, col + offset) for row, col, cols in result_rows(config, job)
              for offset in range(cols)]
    assert sorted(places) == [(row, col) for row in range(m) for col in range(n)]
    assert weight_passes(config, job) == -(-m // (8 * job.tiles))


@pytest.mark.parametrize(("arguments", "words"), [
    (["--rows", "0"], "rows must be 1 to 128"),
    (["--acc-width", "20"], "too narrow"),
    (["--float-formats", "fp8"], "float_formats"),
    (["--drain-lanes", "9"], "drain_lanes must be cols=8 times a power of two"),
    (["--tables", "5"], "tables must be a power of two"),
    (["--blocks-per-cycle", "2"], "use blocks_per_cycle=1"),
    (["--cols", "-1"], "cols must be 1 to 128, not -1"),
    (["--bus-bytes", "-8"], "bus_bytes must be 0 to 64, not -8"),
    (["--outstanding", "3"], "outstanding=3 is for a machine with a bus"),
    (["--bus-bytes", "64", "--blocks-per-cycle", "2"], "the engines convert one block in a cycle"),
    (["--name", "8x8"], "can't be called"),
    (["--name", "wire"], "can't be called 'wire': that is a keyword"),
    (["-o", "/proc/nowhere/x.v"], "nothing can be written in /proc/nowhere"),
])
def test_the_command_line_says_what_was_wrong(arguments, words):
    outcome = call("verilog", *arguments)
    assert outcome.exit_code == 2
    assert words in re.sub(r"[\s│]+", " ", outcome.output), outcome.output
    assert "Traceback" not in outcome.output


def test_the_memory_module_has_a_file_of_its_own_unless_one_file_is_asked_for(
        tmp_path, monkeypatch):
    monkeypatch.setattr("hw.parts.emit.emit_files", lambda *_, **__: {
        "m.v": "machine", "m_sram_1r1w.v": "memory"})
    for more in ([], ["--one-file"]):
        outcome = call(
            "verilog", "--name", "m", "-o", tmp_path / f"{len(more)}" / "x.v", *more)
        assert outcome.exit_code == 0
    assert call("verilog", "--name", "m", "-o", tmp_path / "2" / "y.sv").exit_code == 0
    written = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.glob("*/*")}
    assert written == {"0/x.v": "machine", "0/m_sram_1r1w.v": "memory", "1/x.v": "machine\nmemory",
                       "2/y.sv": "machine", "2/m_sram_1r1w.v": "memory"}


BUS = {"rows": 4, "cols": 4, "k_max": 256, "bus_bytes": 32}


@pytest.mark.parametrize("bus_bytes, formats, act_bytes", [
    (8, None, 8), (32, None, 32), (64, None, 32), (64, ("fp32",), 64)])
def test_beats_are_as_wide_as_a_bus_but_activations_no_longer_than_a_block(
        bus_bytes, formats, act_bytes):
    config = Config.sized(**BUS | {"bus_bytes": bus_bytes, "float_formats": formats})
    assert (config.act_bytes, config.weight_bytes) == (act_bytes, bus_bytes)


def test_a_machine_says_that_it_has_a_bus():
    config = Config.sized(**BUS)
    assert "bus_bytes=32 address_bits=40 burst_beats=16" in config.describe()
    assert "bus_clock=1" in Config.sized(**BUS, bus_clock=1).describe()
    assert "bus_bytes" not in Config.sized(**BUS | {"bus_bytes": 0}).describe()


@pytest.mark.parametrize("changes, sentence", [
    ({"bus_bytes": 12}, "bus_bytes must be 8, 16, 32 or 64, or 0 for none, not 12"),
    ({"bus_bytes": 4}, "bus_bytes must be 8, 16, 32 or 64, or 0 for none, not 4"),
    ({"bus_bytes": 128}, "bus_bytes must be 0 to 64, not 128"),
    ({"bus_bytes": 16, "act_bytes": 32}, "act_bytes=32 must not be more than bus_bytes=16"),
    ({"weight_bytes": 64}, "weight_bytes=64 must be bus_bytes=32"),
    ({"bus_bytes": 64, "act_bytes": 64}, "act_bytes must be a power of two from one element"),
    ({"float_formats": ("fp8",)}, "float_formats"),
    ({"bus_bytes": 64, "float_formats": ("fp32",), "burst_beats": 64, "read_depth": 32},
     "read_depth=32 has no room for a burst of burst_beats=64"),
    ({"burst_beats": 128}, "burst_beats must be a power of two from 1 to 64, not 128"),
    ({"address_bits": 31}, "address_bits must be 32 to 64, not 31"),
    ({"outstanding": 0}, "outstanding must be 1 to 256, not 0"),
    ({"bus_clock": 2}, "bus_clock must be 0 to 1, not 2"),
    ({"bus_bytes": 0, "bus_clock": 1}, "bus_clock=1 is for a machine with a bus")])
def test_buses_that_no_machine_has_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Config.sized(**BUS | changes)
