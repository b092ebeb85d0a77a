"""Small instances of the healthy traps, built by hand.

The tool has no part in them: what is shown of these models does not rest on what it believes.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from tests.commands import ROOT

FOLDER = ROOT / "fixtures" / "healthy_traps"
TRAPS = sorted(FOLDER.glob("*.py"))
BUILDS = {
    "accuracy_metric": "Scorekeeper(vocab_size=97, hidden=64, depth=2)",
    "adaln_zero": "StyledLM(vocab_size=97, hidden_size=64, depth=2, num_heads=4, max_len=32)",
    "alibi": "AlibiLM(vocab_size=97, hidden=64, n_heads=4, n_layers=2)",
    "attention_sinks": "StreamLM(vocab=97, d=64, h=4, n=2, maxlen=32)",
    "bias_balanced_router": (
        "BalancedByBias(vocab_size=97, dim=64, n_heads=4, n_layers=2, n_experts=5, max_len=32)"
    ),
    "byte_level": "ByteLM(width=64, heads=4, depth=2, max_bytes=32)",
    "causal_convolutions": "GatedCNN(vocab_size=97, embed_dim=64, channels=64)",
    "checkpoint_in_segments": "SegmentedLM(vocab_size=97, dim=64, num_layers=2)",
    "checkpoint_reentrant": "FrugalGPT(num_tokens=97, width=64, heads=4, depth=2, max_length=32)",
    "contrastive_head": (
        "TellAndCompare(vocab_size=97, width=64, heads=4, layers=2, context_length=32, "
        "embed_dim=64)"
    ),
    "detached_entropy": "WatchfulLM(vocab=97, dim=64, depth=2, length=32)",
    "diffusion_lm": "MaskedDiffusionLM(vocab_size=97, dim=64, heads=4, depth=2, max_len=32)",
    "dropout_everywhere": "SoftLanguageModel()",
    "early_exits": "Ladder(vocab=97, dim=64, heads=4, depth=2, ctx=32)",
    "ema_teacher": "TaughtLM(vocab=97, width=64, heads=4, layers=2, context=32)",
    "embedding_as_head": 'Headless({"vocab": 97, "d": 64, "h": 4, "n": 2, "ctx": 32})',
    "encoder_decoder": (
        "Translator(97, 97, emb_size=64, nhead=4, num_encoder_layers=2, num_decoder_layers=2, "
        "max_len=32)"
    ),
    "expert_choice": (
        "ExpertChoiceLM(vocab_size=97, dim=64, heads=4, layers=2, num_experts=5, max_len=32)"
    ),
    "frozen_word_vectors": "VectorsLM(n_words=97, dim=64, heads=4, layers=2, max_len=32)",
    "greedy_by_default": "PlainDecoder(vocab_size=97, n_embd=64, n_layer=2, block_size=32)",
    "group_norm": "RetentiveLM(vocab_size=97, dim=64, heads=4, layers=2)",
    "grouped_query": (
        "GroupedTransformer(ModelArgs(dim=64, n_layers=2, n_heads=4, n_kv_heads=2, "
        "vocab_size=97, multiple_of=8, max_seq_len=32))"
    ),
    "gumbel_hard": "ChoosyGRU(ntokens=97, dim=64)",
    "half_weights": "HalfLM(vocab=97, width=64, heads=4, depth=2, longest=32)",
    "hash_routing": "HashLM(vocab_size=97, dim=64, layers=2, num_experts=5, max_len=32)",
    "idle_vision_tower": (
        "SeeAndTell(SeeAndTellConfig(vocab_size=97, hidden_size=64, num_attention_heads=4, "
        "num_hidden_layers=2, max_position_embeddings=32, image_size=16, patch_size=4))"
    ),
    "key_bias": (
        "KeyBiasGPT(vocab_size=97, hidden=64, num_attention_heads=4, num_layers=2, max_len=32)"
    ),
    "kv_cache": "CachedLM(vocab_size=97, dim=64, heads=4, layers=2, max_len=32)",
    "label_smoothing": "AnnotatedDecoder(vocab=97, d_model=64, N=2, d_ff=128, max_len=32)",
    "labels_shifted_inside": (
        "HeronForCausalLM(HeronConfig(vocab_size=97, n_embd=64, n_head=4, n_layer=2, "
        "n_positions=32))"
    ),
    "last_position_logits": (
        "NextWord(vocab_size=97, embed_dim=64, num_heads=4, num_layers=2, max_length=32)"
    ),
    "latent_attention": (
        "LatentLM(vocab_size=97, dim=64, n_layers=2, n_heads=4, kv_lora_rank=24, "
        "qk_nope_head_dim=8)"
    ),
    "layer_drop": "StochasticDepthLM(vocab_size=97, d_model=64, nhead=4, depth=2, max_len=32)",
    "lazily_tied_head": "LateTiedLM(vocabulary=97, width=64, depth=2)",
    "lazy_rotary_cache": "SpeedGPT(vocab_size=97, model_dim=64, num_heads=4, num_layers=2)",
    "left_padding": (
        "PadAwareLM(vocab_size=97, hidden_size=64, num_heads=4, num_layers=2, max_positions=32)"
    ),
    "linear_attention": (
        "LinearTransformerLM(num_tokens=97, dim=64, depth=2, max_seq_len=32, heads=4, ff_mult=2)"
    ),
    "load_balancing": (
        "BalancedLM(vocab_size=97, hidden=64, heads=4, layers=2, experts=5, positions=32)"
    ),
    "logged_numbers": "Chatterbox(n_vocab=97, n_hidden=32, n_heads=4, n_layers=2, n_ctx=32)",
    "long_position_table": "LongTable(vocab=97, d_model=64, nhead=4, num_layers=2)",
    "lora": "LoraGPT(vocab_size=97, d_model=64, n_heads=4, n_layers=2, max_len=32)",
    "lstm": "RNNModel(vocab_size=97, embed_size=64, hidden_size=64)",
    "many_experts": (
        "SparseTransformer(vocab_size=97, dim=64, inter_dim=64, n_layers=2, n_heads=4, "
        "max_seq_len=32)"
    ),
    "masked_lm_encoder": (
        "SmallBertForMaskedLM(EncoderConfig(vocab_size=97, hidden_size=64, "
        "num_attention_heads=4, num_hidden_layers=2, max_position_embeddings=32))"
    ),
    "masks_without_grad": "RelativeLM(vocab_size=97, d_model=64, num_heads=4, num_layers=2)",
    "memory_tokens": "MemoryTransformer(num_tokens=97, dim=64, depth=2, max_seq_len=32, heads=4)",
    "mu_p": "MuTransformer(vocab_size=97, width=64, n_heads=4, depth=2, context=32)",
    "multi_token_heads": "MultiTokenLM(vocab_size=97, dim=64, n_heads=4, n_layers=2, max_len=32)",
    "no_positions": "NoPE(n_tokens=97, n_dim=64, n_heads=4, n_layers=2)",
    "noisy_embeddings": "NefTransformer(vocab=97, size=32, heads=4, layers=2, longest=32)",
    "old_weight_norm": (
        "NormedDecoder(vocab_size=97, d_model=64, num_layers=2, d_ff=136, max_len=32)"
    ),
    "own_backward": "LeanLM(vocab_size=97, dim=64, n_heads=4, n_layers=2, max_seq_len=32)",
    "padding_is_eos": "PaddedLM(vocab_size=97, width=64, heads=4, depth=2, longest=32)",
    "parallel_blocks": "ParallelLM(vocab_size=97, n_embd=64, n_head=4, n_layer=2)",
    "prefix_lm": "PrefixLM(vocab_size=97, d_model=64, num_heads=4, num_layers=2, max_len=32)",
    "qk_norm": "QKNormLM(vocab_size=97, dim=64, heads=4, depth=2, max_seq_len=32)",
    "rezero_gates": "ReZeroTransformer()",
    "segment_memory": "MemTransformerLM(n_token=97, n_layer=2, n_head=4, d_model=64, mem_len=17)",
    "shared_layers": (
        "UniversalLM(vocab_size=97, embedding_size=64, hidden_size=64, num_heads=4, "
        "num_hidden_layers=2, max_len=32)"
    ),
    "sinusoid_parameter": (
        "SinusoidDecoder(n_tgt_vocab=97, len_max_seq=32, d_model=64, d_inner=136, n_layers=2)"
    ),
    "sliding_window": (
        "WindowTransformer(WindowArgs(dim=64, n_layers=3, n_heads=4, vocab_size=97, max_len=32))"
    ),
    "soft_capping": "CapForCausalLM(type('Small', (CapConfig,), SMALL)())",
    "soft_prompt": "PromptTuned(vocab_size=97, dim=64, heads=4, layers=2, max_len=32)",
    "spectral_norm": "LipschitzLM(num_tokens=97, dim=64, heads=4, depth=2, seq_len=32)",
    "state_space": "StateSpaceLM(vocab_size=97, d_model=64, n_layer=2)",
    "step_counter": "CountingGRU(vocab_size=97, hidden_dim=64, layers=2, log_every=32)",
    "stop_gradient_views": "TwoViewLM(vocab_size=97, hidden_size=64)",
    "summed_loss": "QRNNLanguageModel(vocab_size=97, embedding_size=64, hidden_size=64)",
    "switch_routing": (
        "SwitchLM(SwitchConfig(vocab_size=97, d_model=64, d_ff=136, num_heads=4, num_layers=2, "
        "num_experts=5, max_len=32))"
    ),
    "targets_shifted_outside": (
        "ShiftedGPT(GPTConfig(block_size=32, vocab_size=97, n_layer=2, n_head=4, n_embd=64))"
    ),
    "ternary_weights": "BitNet(vocab_size=97, dim=64, n_layers=2, n_heads=4, max_seq=32)",
    "tied_head": "GPT(TiedConfig(block_size=32, vocab_size=97, n_layer=2, n_head=4, n_embd=64))",
    "time_first": "TimeFirstModel(ntoken=97, ninp=64, nhead=4, nhid=128, nlayers=2)",
    "tiny_vocabulary": "Adder(d_model=64, d_head=16, n_ctx=32)",
    "vector_quantised": (
        "DiscreteThoughtLM(vocab_size=97, n_embd=64, n_head=4, block_size=32, codes=11)"
    ),
    "weight_norm": "TCN(vocab_size=97, emb_size=64)",
    "z_loss": "PalmLike(num_tokens=97, dim=64, depth=2, heads=4, max_seq_len=32)",
    "zero_init_projections": (
        "TextDecoder(Hyper(n_vocab=97, n_ctx=32, n_state=64, n_head=4, n_layer=2))"
    ),
}
# Names that stand in the module of a file, and are no arguments.
CONSTANTS: Mapping[str, Mapping[str, Any]] = {
    "dropout_everywhere": {
        "vocab_size": 97,
        "n_embd": 64,
        "n_head": 4,
        "n_layer": 2,
        "block_size": 32,
    },
    "rezero_gates": {"VOCAB": 97, "WIDTH": 64, "HEADS": 4, "DEPTH": 2, "CONTEXT": 32},
    "soft_capping": {
        "SMALL": {
            "vocab_size": 97,
            "hidden_size": 64,
            "num_heads": 4,
            "num_layers": 2,
            "max_positions": 32,
        }
    },
}


@contextmanager
def built(name: str) -> Iterator[nn.Module]:
    """The small instance of the trap in `name`.py, always with the same weights.

    Its module is importable while the context lasts, for classes that look each other up.
    """
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        vars(module).update(CONSTANTS.get(name, {}))
        torch.manual_seed(0)
        made = eval(BUILDS[name], vars(module))
        assert isinstance(made, nn.Module)
        yield made
    finally:
        del sys.modules[name]
