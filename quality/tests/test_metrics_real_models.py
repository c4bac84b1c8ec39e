"""The scores of published models' images, on networks with random weights; the network is off."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with random weights of Inception v3."""
    pytest.importorskip("torch_fidelity")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "nothing.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        torch.manual_seed(0)
        network = FeatureExtractorInceptionV3(
            "random", ["2048"], feature_extractor_weights_path=folder / "nothing.pth"
        )
    torch.save(network.state_dict(), folder / "weights.pth")
    return folder / "weights.pth"


def random_images(count: int, size: int = 40) -> np.ndarray:
    """Return images (count, size, size, 3)."""
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_features_and_logits_are_those_of_torch_fidelity(weights: Path):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    from quality.metrics.inception import Inception

    images = random_images(2)
    network = FeatureExtractorInceptionV3(
        "expected", ["2048", "logits_unbiased"], feature_extractor_weights_path=weights
    )
    expected = network(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    judge = Inception(weights)
    features, logits = judge(images, batch_size=2)
    assert features.tobytes() == expected[0].double().numpy().tobytes()
    assert logits.tobytes() == expected[1].double().numpy().tobytes()
    assert features.std() > 0
    batches, _ = judge(images, batch_size=1)
    assert np.abs(batches - features).max() < 1e-5 * np.abs(features).max()  # order of FP32 sums


def test_distance_and_score_are_those_of_torch_fidelity():
    metric_fid = pytest.importorskip("torch_fidelity.metric_fid")
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kernel_poly, mmd2

    from quality.metrics import frechet_distance, inception_score, kernel_distance, moments

    generator = np.random.default_rng(1)
    first, second = (
        generator.normal(size=(90, 12)) @ generator.normal(size=(12, 12)) for _ in "12"
    )
    expected = metric_fid.fid_statistics_to_metric(
        *(metric_fid.fid_features_to_statistics(torch.from_numpy(f)) for f in (first, second)),
        verbose=False,
    )
    assert frechet_distance(first, second) == pytest.approx(*expected.values(), rel=1e-8)
    score = isc_features_to_metric(torch.from_numpy(first), splits=9, shuffle=False)
    assert inception_score(first, 9) == pytest.approx(score["inception_score_mean"], rel=1e-10)
    pairs = ((first, first), (first, second), (second, second))
    kernels = [
        kernel_poly(
            a, b, kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1
        )
        for a, b in pairs
    ]
    assert kernel_distance(moments(first), moments(second)) == pytest.approx(
        mmd2(*kernels, mmd_est="unbiased"), rel=1e-9
    )


def test_scores_go_as_far_as_the_statistics():
    from quality.metrics.fid import frechet_distance, gaussian
    from quality.metrics.inception import Statistics, inception_scores
    from quality.metrics.kid import wide_kernel_distance

    generator = np.random.default_rng(2)
    features, others, logits = (generator.normal(size=(20, width)) for width in (5, 5, 8))
    scores = inception_scores(features, logits, Statistics(gaussian(others), others))
    assert scores["fid"] == frechet_distance(features, others)
    assert scores["kid"] == wide_kernel_distance(features, others)
    without = inception_scores(features, logits, Statistics(gaussian(others)))
    assert without == {name: scores[name] for name in ("inception_score", "fid")}
    assert scores["inception_score"] > 1
    assert inception_scores(features, logits, None) == {
        "inception_score": scores["inception_score"]
    }


def test_wrong_files_get_a_sentence(weights: Path, tmp_path: Path):
    from quality.metrics.inception import Inception

    with pytest.raises(FileNotFoundError, match="releases of torch-fidelity"):
        Inception(tmp_path / "missing")
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "other")
    with pytest.raises(ValueError, match="holds no weights of Inception v3"):
        Inception(tmp_path / "other")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match="holds no weights of Inception v3"):
        Inception(tmp_path / "text")
    with pytest.raises(ValueError, match="expected bytes"):
        Inception(weights)(np.zeros((2, 3, 40, 40), np.uint8))


def test_statistics_are_read_as_others_write_them(tmp_path: Path):
    from quality.metrics.inception import load_statistics

    mean, covariance = np.arange(2048.0), np.eye(2048, dtype="f4")
    np.savez(tmp_path / "good.npz", mu=mean, sigma=covariance, arr_0=np.zeros(3, np.uint8))
    statistics = load_statistics(tmp_path / "good.npz")
    assert np.array_equal(statistics.gaussian.mean, mean)
    assert statistics.gaussian.covariance.dtype == np.float64
    assert statistics.features is None
    np.savez(tmp_path / "small.npz", mu=mean[:64], sigma=covariance[:64, :64])
    np.savez(tmp_path / "other.npz", mu=mean)
    np.save(tmp_path / "array.npy", mean)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ValueError, match=r"must hold mu \(2048,\)"):
        load_statistics(tmp_path / "small.npz")
    for name in ("other.npz", "array.npy", "text.npz"):
        with pytest.raises(ValueError, match="holds no mu and sigma"):
            load_statistics(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="is missing"):
        load_statistics(tmp_path / "missing.npz")


def test_the_command_makes_statistics_that_are_read(weights: Path, tmp_path: Path):
    from PIL import Image

    from commands.tests.calling import call
    from quality.metrics.inception import Inception, load_statistics

    images = random_images(3, 32)
    for index, pixels in enumerate(images):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    archive = tmp_path / "made" / "statistics"
    options = ["--images", tmp_path, "--weights", weights, "--output", archive, "--size", 32]
    result = call("quality", "statistics", *options, "--threads", "1")
    assert f"{archive}: 3 images" in result.output
    statistics = load_statistics(archive)
    features, _ = Inception(weights)(images)
    assert np.array_equal(statistics.features, features)  # FP32 in both
    assert np.array_equal(statistics.gaussian.mean, features.mean(0))


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny CLIP model of random weights and a tokenizer of letters."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torchmetrics")
    import json
    import string

    folder = tmp_path_factory.mktemp("clip")
    letters = [letter + end for end in ("", "</w>") for letter in string.ascii_lowercase]
    words = [*letters, "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    sizes |= {"num_attention_heads": 2}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(
        text_config={**sizes, "vocab_size": len(words), "eos_token_id": len(words) - 1},
        vision_config={**sizes, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    images = transformers.CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    transformers.CLIPProcessor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def test_the_clip_score_is_the_cosine_of_image_and_prompt(clip_folder: Path):
    from transformers import CLIPModel, CLIPProcessor

    from quality.metrics.clip import ClipJudge

    images, prompts = random_images(6, 32), ["a dog", "cats", "red", "a house", "sea", "b c d"]
    scores = ClipJudge(clip_folder)(images, prompts)
    model = CLIPModel.from_pretrained(clip_folder)
    processor = CLIPProcessor.from_pretrained(clip_folder)
    inputs = processor(text=prompts, images=list(images), return_tensors="pt", padding=True)
    with torch.no_grad():
        outputs = model(**inputs)
    cosines = (outputs.image_embeds * outputs.text_embeds).sum(-1).double().numpy()
    assert np.ptp(cosines) > 0.01
    # FP32 sums in another order, since the images here are one batch.
    assert np.abs(scores - 100 * cosines.clip(min=0)).max() < 1e-3


def test_wrong_folders_and_counts_get_a_sentence(clip_folder: Path, tmp_path: Path):
    from quality.metrics.clip import ClipJudge

    with pytest.raises(FileNotFoundError, match="name a folder with a CLIP model"):
        ClipJudge(tmp_path / "missing")
    with pytest.raises(ValueError, match="holds no CLIP model"):
        ClipJudge(tmp_path)
    judge = ClipJudge(clip_folder)
    with pytest.raises(ValueError, match="2 images do not fit 1 prompts"):
        judge(random_images(2), ["a dog"])
    with pytest.raises(ValueError, match="expected bytes"):
        judge(random_images(2)[0], ["a dog", "cat"])
