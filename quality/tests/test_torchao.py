"""Block formats against what torchao made of the same numbers, to the bit."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from quality.baselines.microscaling import FORMATS  # noqa: E402
from quality.baselines.nvfp4 import NVFP4  # noqa: E402
from quality.tests.torchao_vectors import DTYPES, FILE, KINDS, make_vectors  # noqa: E402


@pytest.fixture(scope="module")
def vectors() -> dict[str, np.ndarray]:
    """Return the committed vectors."""
    with np.load(FILE) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_microscaling_formats_have_its_bits(vectors: dict, name: str, dtype: str):
    x = torch.from_numpy(vectors[f"rows.{dtype}.x"]).to(DTYPES[dtype])
    assert x.numel() > 2500
    values = FORMATS[name](x)
    assert values.numpy().tobytes() == vectors[f"rows.{dtype}.{name}"].tobytes()


@pytest.mark.parametrize("index", range(5))
@pytest.mark.parametrize("dtype", DTYPES)
def test_nvfp4_has_its_bits(vectors: dict, index: int, dtype: str):
    x = torch.from_numpy(vectors[f"tensor{index}.{dtype}.x"]).to(DTYPES[dtype])
    assert x.count_nonzero() > 1000
    assert NVFP4()(x).numpy().tobytes() == vectors[f"tensor{index}.{dtype}.nvfp4"].tobytes()


def test_the_file_holds_what_torchao_makes(vectors: dict):
    pytest.importorskip("torchao", reason="torchao is not installed; the file was made with 0.18.0")
    made = make_vectors()
    assert made.keys() == vectors.keys()
    for name, values in made.items():
        assert values.tobytes() == vectors[name].tobytes(), name
