"""`quantize_` on miniatures of diffusers' transformers, and the page that says so."""

from contextlib import contextmanager

import pytest

import golden
from commands.tests.calling import call

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from diffusers.models.attention_dispatch import attention_backend  # noqa: E402
from diffusers.models.transformers.transformer_flux import FluxIPAdapterAttnProcessor  # noqa: E402

from golden.torch import (  # noqa: E402
    MXScheme,
    find_sites,
    quantize_,
    restore_,
    uniform,
)
from quality.zoo import image, packed_image, products  # noqa: E402
from quality.zoo.builders import BUILDERS  # noqa: E402
from quality.zoo.command import PAGE  # noqa: E402
from quality.zoo.exactness import check_exact  # noqa: E402
from quality.zoo.examine import examine  # noqa: E402
from quality.zoo.page import layers_table, results_table, written  # noqa: E402
from quality.zoo.products import check_products  # noqa: E402
from quality.zoo.rule import apply_rule  # noqa: E402
from quality.zoo.settle import run  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
EACH = pytest.mark.parametrize("name", BUILDERS)
WITHOUT_ATTENTION = {"Mochi", "Stable Audio 3"}
"""Their processors call attention for every sample, or twice."""
PARTLY = {"Sana", "Sana Video", "Wan, image to video"}
"""They have linear attention beside, or attention to an image in the same module."""


@pytest.fixture(autouse=True)
def no_gradients():
    """Run as inference does, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


@EACH
def test_each_product_runs_once_on_quantized_operands(name):
    model, inputs = BUILDERS[name]()
    assert check_products(model, inputs) == ""
    attentions = [each for each in model.modules() if hasattr(each, "processor")]
    sites = find_sites(model)
    quantized = sum(site.kind == "qk" for site in sites)
    assert quantized == sum(site.kind == "pv" for site in sites)
    if name in WITHOUT_ATTENTION:
        assert quantized == 0 < len(attentions)
    elif name in PARTLY:
        assert quantized == len(attentions) // 2
    else:
        assert quantized == len(attentions)


@EACH
def test_exact_mode_has_the_bits_of_golden(name):
    assert check_exact(*BUILDERS[name]()) == ""


def test_a_product_that_is_missed_or_changed_is_found(monkeypatch):
    """See that the checks above can fail."""
    model, inputs = packed_image.flux()
    full = products.find_sites

    def one_less(model, *patterns):
        return [site for site in full(model, *patterns) if not site.name.endswith("0.attn.pv")]

    monkeypatch.setattr(products, "find_sites", one_less)
    assert check_products(model, inputs).startswith("other products changed")
    exact = MXScheme.exact
    monkeypatch.setattr(MXScheme, "exact", lambda self, a, b: exact(self, a, b) * (1 + 2**-20))
    assert check_exact(model, inputs) == "transformer_blocks.0.attn.qk differs from golden"


@EACH
def test_linear_layers_alone_can_be_quantized(name):
    model, inputs = BUILDERS[name]()
    expected = run(model, inputs)
    processors = [each.processor for each in model.modules() if hasattr(each, "processor")]
    quantize_(model, lambda site: MXScheme("MX9", "MX9") if site.kind == "linear" else None)
    assert {site.kind for site in model.quantized_sites} == {"linear"}
    assert processors == [each.processor for each in model.modules() if hasattr(each, "processor")]
    assert not torch.equal(run(model, inputs), expected)
    restore_(model)
    assert torch.equal(run(model, inputs), expected)


def test_the_page_has_what_the_command_finds():
    page = PAGE.read_text("utf-8")
    rules = {name: apply_rule(build) for name, build in BUILDERS.items()}
    assert written(page, {"layers": layers_table(rules)}) == page
    for name in ("FLUX.1", "Sana", "Lumina 2"):
        line = results_table({name: examine(BUILDERS[name])}).splitlines()[-1]
        assert line in page.splitlines()
    assert all(page.count(f"\n| {name} |") == 2 for name in BUILDERS)


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="the page has no marks <!-- results -->"):
        written("# A page", {"results": ""})


def test_the_command_names_the_models_it_knows():
    result = call("quality", "zoo", "--only", "GPT-5")
    assert result.exit_code == 2
    assert "there is no model 'GPT-5': they are DiT, PixArt" in result.stderr


def test_fused_projections_are_refused_until_they_are_undone():
    model, inputs = packed_image.flux()
    sites = find_sites(model)
    model.fuse_qkv_projections()
    with pytest.raises(ValueError, match=r"0\.attn has fused .* call unfuse_qkv_projections\(\)"):
        quantize_(model, uniform("mx6"))
    model.unfuse_qkv_projections()
    assert find_sites(model) == sites
    assert check_products(model, inputs) == ""


def test_projections_that_were_fused_once_leave_no_idle_layers():
    model, inputs = image.pixart()
    sites = find_sites(model)
    model.fuse_qkv_projections()
    model.unfuse_qkv_projections()
    assert hasattr(model.transformer_blocks[0].attn1, "to_qkv")
    assert find_sites(model) == sites
    assert check_products(model, inputs) == ""


@contextmanager
def backend_of(model, name):
    """Choose a backend for a model, and take the choice back."""
    model.set_attention_backend(name)
    try:
        yield
    finally:
        model.set_attention_backend("native")
        model.reset_attention_backend()


def test_backends_that_hide_the_products_are_refused():
    model, inputs = packed_image.flux()
    message = r"0\.attn uses the attention backend 'flex', .*set_attention_backend\('native'\)"
    for chosen in (backend_of(model, "flex"), attention_backend("flex")):
        with chosen, pytest.raises(ValueError, match=message):
            quantize_(model, uniform("mx6"))
    quantize_(model, uniform("mx6"))
    expected = run(model, inputs)
    for name in ("native", "_native_math", "_native_efficient", "_native_flash", "_native_cudnn"):
        with attention_backend(name):
            assert torch.equal(run(model, inputs), expected)
    for chosen in (backend_of(model, "flex"), attention_backend("flex")):
        with chosen, pytest.raises(RuntimeError, match=r"FluxAttnProcessor uses the .* 'flex'"):
            run(model, inputs)
    assert torch.equal(run(model, inputs), expected)


def test_a_branch_for_image_prompts_is_named():
    model, _ = packed_image.flux()
    processor = FluxIPAdapterAttnProcessor(hidden_size=40, cross_attention_dim=24)
    model.transformer_blocks[0].attn.set_processor(processor)
    with pytest.warns(UserWarning, match=r"0\.attn\.qk uses FluxIPAdapterAttnProcessor, which has"):
        quantize_(model, uniform("mx6"))
    assert model.transformer_blocks[0].attn.processor is processor


def test_arguments_of_a_processor_pass_through():
    """All other arguments diffusers drops, by the signature that it sees."""
    model, inputs = packed_image.flux()
    mask = torch.ones(22, 22, dtype=torch.bool).tril()
    inputs = inputs | {"joint_attention_kwargs": {"attention_mask": mask}}
    floating = run(model, inputs)
    quantize_(model, uniform("mx9"))
    masked = run(model, inputs)
    assert golden.qsnr(floating.numpy(), masked.numpy()) > 25
    del inputs["joint_attention_kwargs"]
    assert golden.qsnr(floating.numpy(), run(model, inputs).numpy()) < 15
