"""Names of parameters, and the small numbers they get."""

from __future__ import annotations

import itertools

import pytest

from gptdoctor.specimen.sizes import role_of, size_for
from gptdoctor.specimen.variants import VARIANTS

COHERENT = VARIANTS[0]


@pytest.mark.parametrize(
    ("names", "role"),
    [
        ("d_model n_embd hidden_size dim emb_dim embed_size d_embedding num_embd ninp", "width"),
        ("n_head num_heads heads n_heads num_attention_heads nhead n_mod", "heads"),
        ("num_key_value_heads n_kv_heads num_kv_heads n_kv_head", "kv_heads"),
        ("n_layer n_layers num_layers depth layers num_hidden_layers nlayers", "layers"),
        ("vocab_size num_tokens ntoken words vocab n_vocab ntokens", "vocabulary"),
        ("block_size context_length max_seq_len max_len seq_len n_positions n_ctx", "context"),
        ("max_position_embeddings max_context maxlen", "context"),
        ("rank low_rank r kv_lora_rank expert_rank latent_dim", "rank"),
        ("num_experts n_experts n_expert num_local_experts n_routed_experts", "experts"),
        ("top_k topk k num_experts_per_tok experts_per_token n_active chosen", "top_k"),
        ("d_ff dim_feedforward intermediate_size ffn_dim mlp_hidden nhid ff_dim", "ffn"),
        ("head_dim head_size d_head dim_head d_k d_v", "head_dim"),
        ("codebook_size num_codes", "codebook"),
        ("image_dim d_image vision_dim img_features pixel_dim", "image"),
        ("audio_dim n_mels mel_dim d_audio", "audio"),
        ("memory_slots n_slots mem_size n_slot cells", "memory"),
        ("max_reasoning_steps num_steps n_iterations budget thinking_steps", "steps"),
        ("topk_group n_group", "one"),
        ("d_conv kernel kernel_size kernel_width conv_width", "kernel"),
    ],
    ids=lambda value: str(value).partition(" ")[0],
)
def test_a_name_tells_its_role(names: str, role: str) -> None:
    """One thing has many names, and specific names come before general ones."""
    assert {name: role_of(name) for name in names.split()} == dict.fromkeys(names.split(), role)


def test_hidden_dim_is_the_feed_forward_width_only_beside_another_width() -> None:
    """`hidden_dim` is ambiguous, and its neighbours decide."""
    assert role_of("hidden_dim", frozenset({"hidden_dim", "vocab_size"})) == "width"
    assert role_of("hidden_dim", frozenset({"hidden_dim", "d_model"})) == "ffn"


def test_h_is_heads_beside_a_width() -> None:
    """Alone it may be a hidden width."""
    assert role_of("h", frozenset({"vocab", "d", "h", "depth"})) == "heads"
    assert role_of("h", frozenset({"vocab", "h"})) is None


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_sizes_of_one_variant_fit_together(variant: object) -> None:
    """What is divided by something is divisible by it."""
    assert isinstance(variant, type(COHERENT))
    sizes = variant.sizes
    for divided in ("width", "rank", "ffn"):
        assert sizes[divided] % (2 * sizes["heads"]) == 0  # rotary pairs in each head
    assert sizes["heads"] % sizes["kv_heads"] == 0
    assert sizes["image_size"] % sizes["patch"] == 0
    assert sizes["top_k"] <= sizes["experts"]


def test_sizes_that_divide_nothing_are_pairwise_different() -> None:
    """Two dimensions that were mixed up must not agree by chance, with B = 3 and T = 7 either."""
    names = "vocabulary width context rank experts ffn codebook memory memory_length image audio"
    sizes = [3, 7, *(COHERENT.sizes[name] for name in names.split())]
    assert all(a != b for a, b in itertools.combinations(sizes, 2))


@pytest.mark.parametrize(
    ("name", "default", "expected"),
    [
        ("vocab_size", 50257, 97),
        ("vocab_size", -1, 97),
        ("top_k", 1, 1),
        ("n_shared_experts", 0, 0),
        ("sliding_window", 0, 0),
        ("eos_token_id", 50256, 1),
        ("eos_token_id", 2, 2),
        ("seed", 1234567, 1234567),
        ("unheard_of", 4096, 32),
        ("unheard_of", 3, 3),
    ],
)
def test_a_default_is_kept_only_where_it_is_a_design(
    name: str, default: int, expected: int
) -> None:
    """A size is never the default; a switch, a seed or a small number is."""
    assert expected == size_for(name, default, COHERENT)


def test_latent_attention_has_keys_for_each_head() -> None:
    """Fewer would not fit what it makes of its compressed keys."""
    siblings = frozenset({"kv_lora_rank", "num_attention_heads", "num_key_value_heads"})
    assert role_of("num_key_value_heads", siblings) == "heads"
    assert role_of("num_key_value_heads", siblings - {"kv_lora_rank"}) == "kv_heads"
