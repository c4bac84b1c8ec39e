"""`quantize_` on models that are not diffusers': what it quantizes, what it says of others."""

import warnings

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers", reason="needs the extra 'real'")

from golden.torch import mixdit, quantize_  # noqa: E402

HIDDEN = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
MODELS = {
    "Llama": lambda: transformers.LlamaModel(
        transformers.LlamaConfig(
            vocab_size=30, intermediate_size=40, num_key_value_heads=1, **HIDDEN
        )
    ),
    "ViT": lambda: transformers.ViTModel(
        transformers.ViTConfig(intermediate_size=40, image_size=8, patch_size=4, **HIDDEN)
    ),
    "BERT": lambda: transformers.BertModel(
        transformers.BertConfig(vocab_size=30, intermediate_size=40, **HIDDEN)
    ),
    "T5": lambda: transformers.T5EncoderModel(
        transformers.T5Config(
            vocab_size=30, d_model=24, d_kv=12, d_ff=40, num_layers=2, num_heads=2
        )
    ),
    "GPT-2": lambda: transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=30, n_embd=24, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
        )
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_attention_of_transformers_is_named(name):
    model = MODELS[name]()
    linear = [key for key, each in model.named_modules() if type(each) is torch.nn.Linear]
    transposed = [key for key, each in model.named_modules() if hasattr(each, "nf")]
    with pytest.warns(UserWarning, match=rf"^{4 + len(transposed)} products that the policy asks"):
        quantize_(model, mixdit())
    assert [site.name for site in model.quantized_sites] == linear
    reasons = {each.name: each.reason for each in model.unquantized_sites}
    products = [key for key in reasons if key.rpartition(".")[2] in ("qk", "pv")]
    assert len(products) == 4
    assert all("no processor of diffusers runs" in reasons[key] for key in products)
    assert all(reasons[key].startswith("is a Conv1D of transformers") for key in transposed)
    assert len(transposed) == (8 if name == "GPT-2" else 0)


def test_attention_that_nobody_asks_for_is_no_matter():
    model = MODELS["Llama"]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quantize_(model, mixdit(), exclude=["*.qk", "*.pv"])
    assert len(model.unquantized_sites) == 4


def test_adapters_of_peft_are_named_and_merged_ones_quantized():
    peft = pytest.importorskip("peft", reason="needs peft")
    settings = peft.LoraConfig(target_modules=["q_proj"], r=2)
    model = peft.get_peft_model(MODELS["Llama"](), settings)
    with pytest.warns(UserWarning, match="^10 products"):
        quantize_(model, mixdit())
    layers = [each for each in model.unquantized_sites if "q_proj" in each.name]
    assert {each.name.rpartition("q_proj.")[2] for each in layers} == {
        "base_layer", "lora_A.default", "lora_B.default",
    }  # fmt: skip
    assert all("an adapter layer of peft" in each.reason for each in layers)

    model = peft.get_peft_model(MODELS["Llama"](), settings).merge_and_unload()
    quantize_(model, mixdit(), exclude=["*.qk", "*.pv"])
    assert len(model.quantized_sites) == 14
