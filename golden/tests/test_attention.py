"""Attention's two products under a scheme each, and everything that attention can be asked for."""

import copy
import functools
import inspect
import pickle

import numpy as np
import pytest

import golden
from golden.mx import MXTensor

torch = pytest.importorskip("torch")

from torch.nn.functional import scaled_dot_product_attention  # noqa: E402

from golden.torch import MXScheme, QuantizedAttention  # noqa: E402
from golden.torch.attention import _softmax_in_place  # noqa: E402

BATCH, HEADS, QUERIES, KEYS, WIDTH = 2, 3, 21, 19, 40


def operands(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """Return Q, K and V; no length is a multiple of 16, and sums in FP32 are not exact."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(BATCH, HEADS, rows, WIDTH) for rows in (QUERIES, KEYS, KEYS)]
    drawn = [torch.randn(shape, generator=generator) for shape in shapes]
    widths = 10 ** (torch.rand(WIDTH, generator=generator) * 4 - 3.5)
    return [(each * widths).to(dtype) for each in drawn]


def floating() -> QuantizedAttention:
    """Return attention that quantizes nothing, to see all the rest of it."""
    return QuantizedAttention(lambda *args, **kwargs: None, None, None)


def heads(tensor: MXTensor) -> list[MXTensor]:
    """Split a tensor (batch, heads, rows, K) into matrices."""
    names = ("exponent", "microexponent", "mantissa", "sign", "is_mx9")
    return [
        MXTensor(
            tensor.format, tensor.shape[-2:], 1,
            **{name: getattr(tensor, name)[index] for name in names},
        )
        for index in np.ndindex(tensor.shape[:-2])
    ]  # fmt: skip


def product(a: MXTensor, b: MXTensor) -> torch.Tensor:
    """Multiply A @ B^T head by head in the NumPy model."""
    parts = [golden.gemm(x, y.transpose()) for x, y in zip(heads(a), heads(b), strict=True)]
    return torch.from_numpy(np.stack(parts)).unflatten(0, (BATCH, HEADS))


HEAD = golden.Policy(0.4, granularity="head")
TILES = golden.Policy(0.3, tile_rows=8)


def numpy_quantize(x: torch.Tensor, precision: golden.MXFormat | golden.Policy) -> MXTensor:
    if isinstance(precision, golden.Policy):
        return golden.apply_policy(x.float().numpy(), precision)
    return golden.quantize(x.float().numpy(), precision)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("precision", [golden.MX4, golden.MX6, golden.MX9, HEAD, TILES])
def test_exact_mode_is_golden_on_both_sides_of_an_fp32_softmax(precision, dtype):
    query, key, value = operands(dtype)
    attention = floating()
    attention.qk, attention.pv = (MXScheme(precision, precision) for _ in range(2))
    attention.mode = "exact"
    scores = product(numpy_quantize(query, precision), numpy_quantize(key, precision))
    p = (scores * WIDTH**-0.5).softmax(-1)
    expected = product(numpy_quantize(p, precision), numpy_quantize(value.mT, precision)).to(dtype)
    actual = attention.attend(query, key, value)
    assert actual.dtype == dtype
    assert torch.equal(actual, expected)
    if precision == golden.MX9 and dtype == torch.float32:
        attention.mode = "fake"
        assert not torch.equal(attention.attend(query, key, value), expected)


def test_fake_mode_multiplies_the_same_values():
    query, key, value = operands()
    attention = floating()
    attention.qk, attention.pv = MXScheme(HEAD, golden.MX6), MXScheme(golden.MX9, TILES)

    def values(x: torch.Tensor, precision: golden.MXFormat | golden.Policy) -> torch.Tensor:
        return torch.from_numpy(numpy_quantize(x, precision).dequantize())

    scores = values(query, HEAD) @ values(key, golden.MX6).mT
    p = (scores * WIDTH**-0.5).softmax(-1)
    expected = values(p, golden.MX9) @ values(value.mT, TILES).mT
    torch.testing.assert_close(attention.attend(query, key, value), expected, rtol=1e-5, atol=1e-6)
    assert attention.qk.meter.activation_bits > attention.qk.meter.weight_bits == 6


MASKS = {
    "none": {},
    "scale": {"scale": 0.3},
    "causal": {"is_causal": True},
    "bool": {"attn_mask": torch.arange(KEYS) % 3 != torch.arange(QUERIES)[:, None] % 2},
    "of samples": {"attn_mask": torch.arange(KEYS) < torch.tensor([9, KEYS])[:, None, None, None]},
    "added": {"attn_mask": -10000.0 * (torch.arange(KEYS) > 11).expand(BATCH, HEADS, 1, KEYS)},
}


@pytest.mark.parametrize("options", MASKS.values(), ids=list(MASKS))
def test_without_schemes_it_is_torchs_attention(options):
    query, key, value = operands()
    wide = [each.double() for each in (query, key, value)]
    given = dict(options)
    if "attn_mask" in given and given["attn_mask"].is_floating_point():
        given["attn_mask"] = given["attn_mask"].double()
    expected = scaled_dot_product_attention(*wide, **given)
    actual = floating().attend(query, key, value, **options).double()
    # Sums of 40 and of 19 products in FP32, of numbers of about 1.
    torch.testing.assert_close(actual, expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize("added", [False, True])
def test_a_query_that_sees_no_key_gets_zeros_and_gives_no_gradient(added):
    query, key, value = (each.requires_grad_() for each in operands())
    mask = torch.ones(QUERIES, KEYS, dtype=torch.bool)
    mask[4] = False
    if added:
        mask = torch.zeros(QUERIES, KEYS).masked_fill(~mask, -torch.inf)
    result = floating().attend(query, key, value, attn_mask=mask)
    assert torch.count_nonzero(result[:, :, 4]) == 0
    expected = scaled_dot_product_attention(query, key, value, attn_mask=mask)
    torch.testing.assert_close(result, expected, rtol=0, atol=5e-6)
    (gradient,) = torch.autograd.grad(result.square().sum(), query)
    assert torch.count_nonzero(gradient[:, :, 4]) == 0
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("groups, options", [(3, {}), (1, {"enable_gqa": True}), (1, {})])
def test_grouped_queries_share_keys(groups, options):
    query, key, value = operands()
    key, value = key[:, :groups], value[:, :groups]
    expected = scaled_dot_product_attention(query, key, value, **options)
    result = floating().attend(query, key, value, **options)
    torch.testing.assert_close(result, expected, rtol=0, atol=5e-6)


def test_each_head_of_a_group_is_one_product():
    query, key, value = operands()
    query = torch.cat([query, query.flip(-2)], 1)  # six heads for three
    attention = floating()
    attention.qk, attention.pv = (MXScheme(golden.MX6, golden.MX9) for _ in range(2))
    attention.mode = "exact"
    result = attention.attend(query, key, value, enable_gqa=True)
    for head in range(6):
        shared = [each[:, head // 2, None] for each in (key, value)]
        alone = attention.attend(query[:, head, None], *shared)
        assert torch.equal(result[:, head, None], alone)


def test_autocast_does_not_reach_the_products():
    query, key, value = operands()
    attention = floating()
    attention.qk, attention.pv = (MXScheme("MX9", "MX9") for _ in range(2))
    expected = attention.attend(query, key, value)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(attention.attend(query, key, value), expected)


def test_gradients_pass():
    query, key, value = (each.requires_grad_() for each in operands())
    attention = floating()
    attention.qk, attention.pv = (MXScheme("MX9", "MX9") for _ in range(2))
    result = attention.attend(query, key, value)
    quantized = torch.autograd.grad(result.square().sum(), (query, key, value))
    exact = torch.autograd.grad(
        scaled_dot_product_attention(query, key, value).square().sum(), (query, key, value)
    )
    for ours, theirs in zip(quantized, exact, strict=True):
        assert (ours - theirs).norm() < 0.05 * theirs.norm()  # MX9 is good to 38 dB


def test_what_cannot_be_quantized_is_refused():
    query, key, value = operands()
    attend = floating().attend
    with pytest.raises(ValueError, match=r"no dropout: put the model in eval\(\) mode"):
        attend(query, key, value, dropout_p=0.1)
    with pytest.raises(ValueError, match="as many heads of keys as of queries"):
        attend(query, key[:, :2], value[:, :2])
    with pytest.raises(ValueError, match="3 heads of queries cannot share 2 heads of keys"):
        attend(query, key[:, :2], value[:, :2], enable_gqa=True)
    with pytest.raises(ValueError, match="a mask or is causal, not both"):
        attend(query, key, value, attn_mask=torch.zeros(KEYS), is_causal=True)
    with pytest.raises(ValueError, match="a mask of attention is a tensor, not a list"):
        attend(query, key, value, attn_mask=[True] * KEYS)
    with pytest.raises(ValueError, match=r"of bool or floating point, not torch\.int64"):
        attend(query, key, value, attn_mask=torch.ones(KEYS, dtype=torch.int64))


@pytest.mark.parametrize("change, message", [
    (lambda q, k, v: (q[0, 0, 0], k[0, 0, 0], v[0]), "need two dimensions or more"),
    (lambda q, k, v: (q, k, v[0, 0, 0]), "need two dimensions or more"),
    (lambda q, k, v: (q, k[0, 0], v), "need heads in queries and keys, or in neither"),
    (lambda q, k, v: (q[0, 0], k[0], v[0]), "need heads in queries and keys, or in neither"),
    (lambda q, k, v: (q, k[..., 1:], v), r"one width, not shapes \(2, 3, 21, 40\), \(2, 3, 19, 39"),
    (lambda q, k, v: (q, k, v[..., 1:, :]), "need as many values as keys"),
])  # fmt: skip
@pytest.mark.parametrize("options", [{}, {"enable_gqa": True}])
def test_shapes_that_do_not_multiply_are_refused(change, message, options):
    with pytest.raises(ValueError, match=message):
        floating().attend(*change(*operands()), **options)


def test_batches_are_broadcast_as_torch_does():
    query, key, value = operands()
    expected = scaled_dot_product_attention(query[0], key, value)
    torch.testing.assert_close(floating().attend(query[0], key, value), expected)


def test_a_mode_that_does_not_exist_is_refused():
    attention = floating()
    attention.mode = "Exact"
    with pytest.raises(ValueError, match="mode must be one of fake, exact, not 'Exact'"):
        attention.attend(*operands())


class Processor:
    """Attention of one head, `calls` times over."""

    def __init__(self, calls: int):
        self.calls = calls

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
        x = hidden_states[:, None]
        for _ in range(self.calls):
            x = scaled_dot_product_attention(x, x, value=x, attn_mask=attention_mask)
        return x


def test_a_processor_runs_with_its_attention_replaced():
    x = operands()[0][:, 0]
    attention = QuantizedAttention(Processor(1), MXScheme("MX6", "MX6"), MXScheme("MX6", "MX6"))
    module = torch.nn.Identity()
    mask = (torch.arange(QUERIES) % 3 * -2.0).expand(QUERIES, QUERIES)
    result = attention(module, x, attention_mask=mask)
    assert torch.equal(result, attention.attend(*[x[:, None]] * 3, attn_mask=mask))
    assert not torch.equal(result, attention(module, x))
    assert not torch.equal(result, Processor(1)(module, x, attention_mask=mask))


@pytest.mark.parametrize("calls", [0, 2])
def test_a_processor_that_hides_a_product_is_an_error(calls):
    attention = QuantizedAttention(Processor(calls), MXScheme("MX6", "MX6"), None)
    message = f"Processor called scaled_dot_product_attention {calls} times instead of once"
    with pytest.raises(RuntimeError, match=message):
        attention(torch.nn.Identity(), operands()[0][:, 0])


class Rotated(Processor):
    """A processor with arguments of its own."""

    def __call__(self, attn, hidden_states, *, image_rotary_emb, flags=[1]):  # noqa: B006
        return super().__call__(attn, hidden_states * image_rotary_emb)


def test_it_takes_the_arguments_of_its_processor():
    x = operands()[0][:, 0]
    scheme = MXScheme("MX6", "MX6")
    attention = QuantizedAttention(Rotated(1), scheme, None)
    for processor, own in ((Rotated(1), attention), (Processor(1), None)):
        own = own or QuantizedAttention(processor, scheme, None)
        assert inspect.signature(own.__call__) == inspect.signature(processor.__call__)
        assert isinstance(own, QuantizedAttention)
    plain = QuantizedAttention(Processor(1), scheme, None)
    module = torch.nn.Identity()
    assert torch.equal(attention(module, x, image_rotary_emb=2.0), plain(module, 2.0 * x))


def test_copies_and_pickles_keep_everything():
    x = operands()[0][:, 0]
    attention = QuantizedAttention(Rotated(1), MXScheme("MX6", "MX9"), MXScheme(HEAD, "MX6"))
    attention.mode = "exact"
    module = torch.nn.Identity()
    expected = attention(module, x, image_rotary_emb=2.0)
    for twin in (copy.deepcopy(attention), pickle.loads(pickle.dumps(attention))):
        assert twin.mode == "exact"
        assert twin.qk is not attention.qk
        assert inspect.signature(twin.__call__) == inspect.signature(attention.__call__)
        assert torch.equal(twin(module, x, image_rotary_emb=2.0), expected)


ODD = {
    "integers": (lambda x: x.long(), r"not torch\.int64"),
    "float64": (lambda x: x.double(), r"not torch\.float64"),
    "complex": (lambda x: x.to(torch.complex64), r"not torch\.complex64"),
    "bool": (lambda x: x > 0, r"not torch\.bool"),
    "sparse": (lambda x: x.to_sparse(), r"one of torch\.sparse_coo; give x\.to_dense\(\)"),
    "array": (lambda x: x.numpy(), "a NumPy array, not a torch tensor"),
    "list": (lambda x: x.tolist(), "not a list"),
}


@pytest.mark.parametrize("place, name", list(enumerate(["queries", "keys", "values"])))
@pytest.mark.parametrize("change, message", ODD.values(), ids=list(ODD))
def test_other_numbers_are_refused(place, name, change, message):
    given = operands()
    given[place] = change(given[place])
    for scheme in (None, MXScheme("MX6", "MX6")):
        attention = floating()
        attention.qk = scheme
        with pytest.raises(TypeError, match=f"{name} of attention: .*{message}"):
            attention.attend(*given)


def test_signs_that_are_put_off_are_signs():
    given = operands()
    put_off = [torch.complex(each, -each).conj().imag for each in given]
    assert all(each.is_neg() for each in put_off)
    attention = floating()
    attention.qk, attention.pv = (MXScheme("MX6", "MX6") for _ in range(2))
    assert torch.equal(attention.attend(*put_off), attention.attend(*given))


@pytest.mark.parametrize("shape", [
    (KEYS + 1,), (5, QUERIES, KEYS), (1, BATCH, HEADS, QUERIES, KEYS), (BATCH + 1, 1, 1, KEYS),
])  # fmt: skip
def test_a_mask_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="does not fit scores of shape"):
        floating().attend(*operands(), attn_mask=torch.zeros(shape))


PRECISIONS = {"format": golden.MX6, "heads": HEAD, "tiles": TILES}


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=list(PRECISIONS))
@pytest.mark.parametrize("keys", [KEYS, 32])
@pytest.mark.parametrize("options", ["none", "bool", "added"])
def test_working_in_place_changes_no_bit_and_none_of_what_was_given(precision, keys, options):
    query, key, value = (each[..., :32].clone() for each in operands())
    key, value = (each.repeat(1, 1, 2, 1)[:, :, :keys].clone() for each in (key, value))
    mask = MASKS[options].get("attn_mask")
    mask = None if mask is None else mask.repeat_interleave(2, -1)[..., :keys].clone()
    given = [query, key, value] + ([] if mask is None else [mask])
    before = [each.clone() for each in given]
    results = []
    for gradient in (False, True):
        attention = floating()
        attention.qk, attention.pv = (MXScheme(precision, precision) for _ in range(2))
        first = query.clone().requires_grad_() if gradient else query
        results.append(attention.attend(first, key, value, attn_mask=mask))
        assert results[-1].requires_grad == gradient
    assert torch.equal(*results)
    assert all(torch.equal(*pair) for pair in zip(given, before, strict=True))


def test_the_softmax_in_place_has_the_bits_of_torchs(monkeypatch):
    for rows, columns, together in ((3, 7, 1), (50, 77, 100), (600, 1000, 2048), (5, 0, 8)):
        monkeypatch.setattr("golden.torch.attention._AT_ONCE", together)
        scores = 20 * torch.randn(rows, columns, generator=torch.Generator().manual_seed(rows))
        expected = scores.softmax(-1)
        assert torch.equal(_softmax_in_place(scores), expected)


class Doubling(MXScheme):
    """Quantizes A in its own way, and knows of no memory to use again."""

    def activation(self, a):
        return 2 * a


class Through:
    """Hands everything on to another scheme."""

    def __init__(self):
        self._scheme = Doubling("MX6", "MX6")

    def __getattr__(self, name):
        return getattr(self.__dict__["_scheme"], name)


def wrapped() -> MXScheme:
    """Wrap the activation of one object, which takes more than what is around it."""
    scheme = MXScheme("MX6", "MX6")
    scheme.activation = functools.wraps(scheme.activation)(lambda a: 2 * a)
    return scheme


class Around:
    """Has another scheme inside."""

    def __init__(self):
        self.scheme = MXScheme("MX6", "MX6")

    def __getattr__(self, name):
        return getattr(self.scheme, name)

    def activation(self, a):
        return 2 * a


@pytest.mark.parametrize("kind", [lambda: Doubling("MX6", "MX6"), Around, Through, wrapped])
def test_a_scheme_with_an_activation_of_its_own_is_asked_for_p(kind):
    given = operands()
    attention, plain = floating(), floating()
    attention.pv, plain.pv = kind(), Around()
    expected = 2 * torch.softmax(given[0] @ given[1].mT * WIDTH**-0.5, -1)
    values = attention.pv.weight(given[2].mT).mT
    torch.testing.assert_close(attention.attend(*given), expected @ values)


class Keeping(MXScheme):
    """Keeps what it made, and lays it out in its own way."""

    def exact(self, a, b):
        self.kept = super().exact(a, b).mT.contiguous().mT
        return self.kept


def test_scores_that_a_scheme_keeps_are_its_own():
    schemes = (kind("MX6", "MX6") for kind in (Keeping, MXScheme))
    attention, plain = (QuantizedAttention(Processor(1), scheme, None) for scheme in schemes)
    attention.mode = plain.mode = "exact"
    query, key, value = operands()
    with torch.no_grad():
        assert torch.equal(attention.attend(query, key, value), plain.attend(query, key, value))
    assert torch.equal(attention.qk.kept, plain.qk.exact(query, key))
