"""The workloads are what diffusers computes, and what the papers say."""

import ast
import json
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from commands.tests.calling import call
from perf.workloads import Block, Gemm, GemmKind, Model, load_models, load_unet_macs
from perf.workloads.stored import MODELS_FILE
from perf.workloads.vector_ops import COSTS, VectorKind, VectorOp

MODELS = load_models()


def everything(model: Model) -> list[tuple[int, Gemm]]:
    return [(block.count, gemm) for block in model.blocks for gemm in block.gemms]


def elements(block: Block) -> Counter[VectorKind]:
    """Count the elements of each kind that belong to tokens, not to a whole sample."""
    found: Counter[VectorKind] = Counter()
    for each in block.vector_ops:
        if each.elements > 2 * 9216:
            found[each.kind] += each.elements
    return found


@pytest.mark.parametrize(("name", "gmacs"), [("dit-256", 118.64), ("dit-512", 524.60)])
def test_dit_has_the_macs_of_its_paper(name: str, gmacs: float) -> None:
    """DiT (arXiv 2212.09748), table 4; diffusers embeds the time step in every block instead."""
    model = MODELS[name]
    embedder = 256 * 1152 + 1152 * 1152
    macs = model.macs // model.batch - 28 * embedder
    assert macs == pytest.approx(gmacs * 1e9, rel=2e-4)


def test_dit_has_the_parameters_of_its_authors() -> None:
    """facebookresearch/DiT has one embedder, not 28, and keeps its table of positions."""
    embedder = 256 * 1152 + 1152 + 1152 * 1152 + 1152 + 1001 * 1152
    assert MODELS["dit-256"].parameters - 27 * embedder + 256 * 1152 == 675_129_632


@pytest.mark.parametrize(("name", "billions"), [("pixart-1024", 0.61), ("sd3-1024", 2.03)])
def test_text_to_image_models_have_their_published_size(name: str, billions: float) -> None:
    """PixArt-Sigma (arXiv 2403.04692) has 0.6 billion, SD3 medium's model card says 2 billion."""
    assert MODELS[name].parameters == pytest.approx(billions * 1e9, rel=5e-3)


@pytest.mark.parametrize(("name", "tables", "twice"), [
    # A table of classes per block; the last layer uses the first block's embedder again.
    ("dit-256", 28 * 1001 * 1152, 256 * 1152 + 1152 * 1152 + 2 * 1152),
    ("dit-512", 28 * 1001 * 1152, 256 * 1152 + 1152 * 1152 + 2 * 1152),
    # Shifts and scales of each block, and of the last layer.
    ("pixart-1024", 28 * 6 * 1152 + 2 * 1152, 0),
    ("sd3-1024", 0, 0),
])
def test_every_parameter_is_in_a_gemm_or_a_table(name: str, tables: int, twice: int) -> None:
    model = MODELS[name]
    in_gemms = sum(count * (gemm.b_elements + gemm.n * gemm.bias)
                   for count, gemm in everything(model) if gemm.has_weights)
    assert in_gemms - twice + tables == model.parameters


@pytest.mark.parametrize(("name", "layers", "width", "tokens", "keys"), [
    ("dit-256", 28, 1152, 256, [256]), ("dit-512", 28, 1152, 1024, [1024]),
    ("pixart-1024", 28, 1152, 4096, [4096, 300]), ("sd3-1024", 24, 1536, 4429, [4429])])
def test_attention_follows_from_tokens_and_width(
    name: str, layers: int, width: int, tokens: int, keys: list[int]
) -> None:
    model = MODELS[name]
    for kind in (GemmKind.QK, GemmKind.PV):
        macs = sum(count * gemm.macs for count, gemm in everything(model) if gemm.kind is kind)
        assert macs == model.batch * layers * sum(tokens * each * width for each in keys)


def test_pixart_follows_from_its_shapes() -> None:
    model, d, tokens, text = MODELS["pixart-1024"], 1152, 4096, 300
    block = (12 + 2) * d * d * tokens + 2 * d * d * text + 2 * d * tokens * (tokens + text)
    outside = (16 * d * tokens + (256 * d + d * d) + 6 * d * d + (4096 * d + d * d) * text
               + 32 * d * tokens)
    assert model.macs == 2 * (28 * block + outside)


def test_sd3_follows_from_its_shapes() -> None:
    model, d, tokens, text = MODELS["sd3-1024"], 1536, 4096, 333
    full = 12 * d * d * (tokens + text) + 2 * d * (tokens + text) ** 2 + 12 * d * d
    last = full - 9 * d * d * text - 4 * d * d  # of the text only q, k, v; scale and shift only
    outside = (64 * d * tokens * 2 + 4096 * d * text + (256 * d + d * d) + (2048 * d + d * d)
               + 2 * d * d)
    assert model.macs == 2 * (23 * full + last + outside)


def test_a_dit_block_leaves_these_to_the_vector_unit() -> None:
    block, x = MODELS["dit-256"].blocks[1], 2 * 256 * 1152
    assert elements(block) == {
        VectorKind.LAYER_NORM: 2 * x, VectorKind.MODULATE: 2 * x, VectorKind.GATE_ADD: 2 * x,
        VectorKind.SOFTMAX: 2 * 16 * 256 * 256, VectorKind.GELU: 4 * x}


def test_a_pixart_block_adds_its_cross_attention_without_a_gate() -> None:
    block, x = MODELS["pixart-1024"].blocks[1], 2 * 4096 * 1152
    assert elements(block) == {
        VectorKind.LAYER_NORM: 2 * x, VectorKind.MODULATE: 2 * x, VectorKind.GATE_ADD: 2 * x,
        VectorKind.ADD: x, VectorKind.SOFTMAX: 2 * 16 * 4096 * (4096 + 300),
        VectorKind.GELU: 4 * x}


def test_sd3_handles_text_like_the_image_but_in_its_last_block() -> None:
    _, full, last = MODELS["sd3-1024"].blocks
    image, text = 2 * 4096 * 1536, 2 * 333 * 1536
    scores = 2 * 24 * 4429 * 4429
    twice = 2 * (image + text)
    assert (full.count, last.count) == (23, 1)
    assert elements(full) == {
        VectorKind.LAYER_NORM: twice, VectorKind.MODULATE: twice, VectorKind.GATE_ADD: twice,
        VectorKind.SOFTMAX: scores, VectorKind.GELU: 2 * twice}
    assert elements(last) == {
        VectorKind.LAYER_NORM: 2 * image + text, VectorKind.MODULATE: 2 * image + text,
        VectorKind.GATE_ADD: 2 * image, VectorKind.SOFTMAX: scores, VectorKind.GELU: 4 * image}


def test_q_k_and_v_share_their_input() -> None:
    gemms = {gemm.name: gemm for gemm in MODELS["pixart-1024"].blocks[1].gemms}
    assert [gemms[f"attn1.to_{each}"].shares for each in "qkv"] == ["", *["attn1.to_q"] * 2]
    assert gemms["attn2.to_v"].shares == "attn2.to_k"
    assert gemms["attn2.to_q"].shares == ""


def test_vector_operations_say_after_which_gemm_they_run() -> None:
    block = MODELS["dit-256"].blocks[1]
    names = [gemm.name for gemm in block.gemms]
    softmax, = (each for each in block.vector_ops if each.kind is VectorKind.SOFTMAX)
    gelu, = (each for each in block.vector_ops if each.kind is VectorKind.GELU)
    assert softmax.after == names.index("attn1.qk") + 1 == names.index("attn1.pv")
    assert gelu.after == names.index("ff.net.0.proj") + 1 == names.index("ff.net.2")


def test_models_have_the_usual_steps_of_their_pipelines() -> None:
    assert {name: model.steps for name, model in MODELS.items()} == {
        "dit-256": 50, "dit-512": 50, "pixart-1024": 20, "sd3-1024": 28}
    for model in MODELS.values():
        assert {20, 50, 100} <= {each.steps for each in model.samplings}


@pytest.mark.parametrize(("name", "module"), [
    ("dit-256", "dit.pipeline_dit"), ("pixart-1024", "pixart_alpha.pipeline_pixart_sigma"),
    ("sd3-1024", "stable_diffusion_3.pipeline_stable_diffusion_3")])
def test_the_usual_steps_are_the_defaults_of_diffusers(name: str, module: str) -> None:
    """Read, not imported: some pipelines need packages for text."""
    pytest.importorskip("diffusers")
    spec = find_spec(f"diffusers.pipelines.{module}")
    assert spec is not None and spec.origin is not None
    call, = (each.args for each in ast.walk(ast.parse(Path(spec.origin).read_text()))
             if isinstance(each, ast.FunctionDef) and each.name == "__call__")
    defaults = dict(zip([each.arg for each in call.args][::-1], call.defaults[::-1], strict=False))
    assert ast.literal_eval(defaults["num_inference_steps"]) == MODELS[name].steps


@pytest.mark.parametrize("sizes", [(0, 1, 1, 1), (1, -1, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0)])
def test_a_gemm_without_a_size_is_refused(sizes: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Gemm("bad", GemmKind.LINEAR, *sizes)


def test_vector_operations_come_in_whole_rows() -> None:
    with pytest.raises(ValueError, match="rows of 7"):
        VectorOp("bad", VectorKind.SOFTMAX, 20, 7)
    op = VectorOp("", VectorKind.GATE_ADD, 20, 10)
    assert (op.operations, op.values_moved) == (20, 60)
    assert set(COSTS) == set(VectorKind)


class TestTracing:
    """What needs torch and diffusers, as ``make test-torch`` has them."""

    @pytest.fixture(autouse=True)
    def _torch(self) -> None:
        self.torch = pytest.importorskip("torch")
        pytest.importorskip("diffusers")

    def test_the_committed_file_is_what_diffusers_computes(self) -> None:
        from perf.workloads.generate import dump, generate
        assert dump(generate()) + "\n" == MODELS_FILE.read_text()

    def test_the_check_shows_a_difference(self, monkeypatch: pytest.MonkeyPatch) -> None:
        document: dict[str, Any] = json.loads(MODELS_FILE.read_text())
        document["models"]["dit-256"]["blocks"][1]["gemms"][3]["m"] = 513
        monkeypatch.setattr("perf.workloads.generate.generate", lambda: document)
        result = call("check", "workloads")
        assert result.exit_code == 1
        assert '"m": 513' in result.output

    def test_the_check_accepts_what_is_committed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        document = json.loads(MODELS_FILE.read_text())
        monkeypatch.setattr("perf.workloads.generate.generate", lambda: document)
        assert call("check", "workloads").exit_code == 0

    def test_an_unknown_function_is_an_error(self) -> None:
        from perf.workloads.trace import Trace, UnknownFunctionError
        torch = self.torch

        class Model(torch.nn.Module):
            def forward(self, x: Any) -> Any:
                return x.cumsum(0)

        model, x = Model(), torch.empty(2, 3, 4, device="meta")
        with pytest.raises(UnknownFunctionError, match="cumsum"), Trace(model).watching():
            model(x)

    def test_a_gate_without_an_addition_is_an_error(self) -> None:
        from perf.workloads.trace import Trace, UnknownFunctionError
        torch = self.torch
        x, gate = (torch.empty(2, tokens, 4, device="meta") for tokens in (3, 1))
        with pytest.raises(UnknownFunctionError, match="not added"), \
                Trace(torch.nn.Module()).watching():
            _ = x * gate

    def test_a_convolution_counts_by_its_unfolded_patches(self) -> None:
        from perf.workloads.trace import Trace
        torch = self.torch
        layer, x = torch.nn.Conv2d(3, 8, 4, 4, device="meta"), torch.empty(2, 3, 16, 8)
        trace = Trace(layer)
        with trace.watching():
            layer(x.to("meta"))
        assert [each.what for each in trace.found] == [
            Gemm("", GemmKind.LINEAR, 2 * 4 * 2, 3 * 4 * 4, 8, bias=True)]

    def test_what_surrounds_the_models_has_its_published_size(self) -> None:
        import diffusers

        from perf.workloads.configurations import CONFIGURATIONS, UNET
        # 4.76 billion parameters, but for 32,128 words of 4,096: one product each per token.
        t5 = CONFIGURATIONS["pixart-1024"].encoders[0]
        assert t5.macs == pytest.approx(300 * (4.76e9 - 32128 * 4096), rel=0.02)
        # CompVis/stable-diffusion says "DiffusionWrapper has 859.52 M params."
        with self.torch.device("meta"):
            unet = diffusers.UNet2DConditionModel(**UNET)
        assert round(sum(each.numel() for each in unet.parameters()) / 1e6, 2) == 859.52
        # Its convolutions and linear layers are 339 GMAC (BK-SDM, arXiv 2305.15798), attention
        # is 63 more: 16 of 4096, 1024, 256 and 64 tokens, as many or 77 keys.
        keys = [(5, 4096, 320), (5, 1024, 640), (5, 256, 1280), (1, 64, 1280)]
        attention = sum(2 * n * tokens * (tokens + 77) * width for n, tokens, width in keys)
        assert load_unet_macs() - attention == pytest.approx(339e9, rel=2e-3)
