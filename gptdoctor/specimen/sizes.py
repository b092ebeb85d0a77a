"""What a parameter of a constructor measures, told by its name, and the small size it gets."""

from __future__ import annotations

import re

from gptdoctor.specimen.variants import Variant

# Roles by pattern, from specific to general: the first pattern that matches the whole name wins.
# (?:...)? everywhere, because one thing has many names in the wild: n_head, num_heads, heads.
_COUNT = r"(?:n|num|nr|number_of)?_?"
_WIDE = r"(?:dim|dims|dimension|width|size|channels|features|feats?|embd?|embed|embedding|hidden)"
_PATTERNS: tuple[tuple[str, str], ...] = (
    (
        r".*(?:config|cfg)|(?:random_)?seed|ignore_index|padding_idx|world_size|tp_size|verbose|audio_channels",
        "kept",
    ),
    (r".*token_?(?:id|idx|index)|(?:pad|bos|eos|unk|sep|cls)_?(?:id|idx|index)?", "token"),
    (r"(?:max_)?batch(?:_size|es)?|max_bsz|bsz", "batch"),
    (r"type_vocab_size|num_segments|n_segments", "pair"),
    (r"multiple_of|pad_(?:to|vocab).*multiple.*", "multiple_of"),
    # widths of one head, before the heads themselves
    (r"qk_(?:rope|nope)_head_dim|rope_(?:head_)?dim|rotary_(?:ndims|dim)", "half_head"),
    (
        r".*head_?(?:dim|size|width)|d_head|dim_(?:per_)?head|d_[kv]|d_qk|d_kv|kv_channels",
        "head_dim",
    ),
    (rf"{_COUNT}(?:kv|key_value|kv_?query)_?(?:heads?|groups?)|{_COUNT}query_groups", "kv_heads"),
    (rf"{_COUNT}(?:codebook|residual_quantizer|quantizer)s", "pair"),
    # mixtures of experts
    (r"topk_groups?|n_group|num_groups?|n_groups|num_expert_groups?|n_expert_groups?", "one"),
    (
        r"(?:moe_|router_|expert_)?(?:top_?k|k)(?:_experts)?|k_experts|chosen"
        rf"|{_COUNT}(?:active|activated|selected|chosen)(?:_experts?)?"
        rf"|{_COUNT}experts?_per_tok(?:en)?|{_COUNT}experts_active",
        "top_k",
    ),
    (rf"{_COUNT}(?:shared|common)_experts?(?:_count)?", "one"),
    (
        r"(?:moe_|expert_|ffn_|d_|shared_expert_)*(?:expert|moe)_(?:ff|ffn|mlp|intermediate|inner)?_?"
        rf"{_WIDE}",
        "ffn",
    ),
    (
        rf"(?:moe_)?{_COUNT}(?:routed_|local_|moe_)?(?:experts?|specialists|mlps)(?:_count)?",
        "experts",
    ),
    # low-rank subspaces and codebooks
    (
        r".*lora_rank|(?:low_?)?ranks?|.*_rank|r|(?:d_|dim_)?(?:latent|bottleneck|subspace)(?:_dim|_size)?",
        "rank",
    ),
    (r"(?:d_code|code(?:book)?_(?:dim|width))|d_low|low_dim", "rank"),
    (
        rf"(?:codebook|codes?)_?size|{_COUNT}(?:codes|codewords|codebook|code_vectors|code)",
        "codebook",
    ),
    # pictures and sound
    (
        r"(?:visual_|vision_)?(?:image|img|input)_?(?:size|res|resolution)|resolution",
        "image_size",
    ),
    (r"(?:visual_|vision_|image_)?patch(?:_size|size)?", "patch"),
    (r"(?:in_|image_|img_|num_)(?:channels|chans)|in_chans", "colours"),
    (
        r"(?:num|n|max)_(?:image_|img_|vision_)?patches|(?:num|n|max)_(?:image|img|vision)_tokens",
        "patches",
    ),
    (
        rf"(?:d_)?(?:audio|mel|speech|sound|wave|acoustic)(?:_.*)?_?{_WIDE}?|n_mels|num_mel_bins|d_audio",
        "audio",
    ),
    (rf"(?:d_)?(?:video|motion|depth)_(?:.*_)?{_WIDE}", "video"),
    (
        rf"(?:d_)?(?:image|img|vision|visual|pixel|vit|clip|picture|patch)_(?:.*_)?{_WIDE}|d_(?:image|vision)",
        "image",
    ),
    # feed-forward networks: multiples before widths
    (
        r"(?:d_)?(?:ffn?|mlp|hidden|feed_?forward|expert|intermediate)?_?(?:dim_)?"
        r"(?:mult|multiplier|multiple|ratio|factor|expansion|expand|expansion_factor|expand_factor)",
        "multiple",
    ),
    (
        r"d_?ff|ff_?(?:dim|size|width|hidden)?|ffn.*|feed_?forward.*|dim_feedforward|(?:moe_)?intermediate.*"
        r"|mlp_.*|n_inner|d_inner|inner_dim|inner_size|d_mlp|nhid|d_hid|fc_dim|.*_ffn_dim|hidden_ff",
        "ffn",
    ),
    # memories, loops
    (
        rf"{_COUNT}(?:memory|mem|memories|memory_slots|mem_slots|slots?|memory_cells|cells|bank_size)"
        r"|(?:memory|mem)_(?:size|slots|tokens|cells|slot_count)|bank_size",
        "memory",
    ),
    (r"(?:memory|mem)_len(?:gth)?|max_memory|mem(?:ory)?_capacity", "memory_length"),
    (
        rf"(?:max_)?{_COUNT}(?:\w+_)?(?:steps?|iterations?|iters?|loops?|hops?|rounds?|recurrences?)"
        r"|(?:\w+_)?budget|max_depth",
        "steps",
    ),
    # the trunk
    (
        rf"{_COUNT}(?:hidden_|decoder_|encoder_|transformer_|dec_|enc_|self_attn_)?"
        r"(?:layers?|blocks|stages)(?:_count)?|depth|nlayers?|(?:enc|dec)oder_(?:layers|depth)|L",
        "layers",
    ),
    (
        rf"{_COUNT}(?:encoder_|decoder_|dec_|enc_)?(?:attention_|attn_|att_|self_|q_|query_)?"
        r"(?:heads?)(?:_count)?|nheads?|n_mod|H",
        "heads",
    ),
    (
        r"(?:\w+_)?vocab(?:ulary)?(?:_?(?:size|len|length|sz|dim))?(?:_(?:per|or)_\w+)?|n_?vocab|num_vocab"
        r"|(?:n_?|num_)?tokens?|(?:num_)?words|n_?words|num_embeddings|dict(?:ionary)?_size"
        r"|alphabet(?:_size)?|(?:n_?|num_)?(?:symbols|letters)|lexicon(?:_size)?|num_classes|output_dim|V"
        r"|n_?chars|(?:n_?|num_)(?:word_?)?(?:pieces|fillers)|num_text_tokens",
        "vocabulary",
    ),
    (
        r"(?:sliding_|local_|attention_|attn_|local_attn_|lsh_)*window(?:_size|_len|_length)?"
        r"|chunk_?(?:size|len|length)?|block_width|bucket_size|(?:seg|segment)_?size"
        r"|local_context|segment_len(?:gth)?",
        "window",
    ),
    (
        r"block_?size|context(?:_?(?:length|len|size|window))?|(?:n_?|max_)?ctx(?:_?(?:len|size|length))?"
        r"|max_?(?:seq|sequence|position|positions|pos|len|length|context|tokens|target|source|time|text"
        r"|T|block|cache|generate|embedding).*|max_?len(?:gth)?|maxlen|longest|bptt|T|seq_?(?:len|length|size)"
        r"|sequence_?(?:len|length)|n_?positions?|num_positions|position_embeddings|cache_(?:len|size)"
        r"|original_max.*|.*_seq_?len(?:gth)?|length",
        "context",
    ),
    (
        r"d_?model|n_?emb(?:d|ed)?|num_embd|hidden_?(?:size|units|width|channels)?|model_?(?:dim|size|width)"
        r"|dims?|(?:tok_|token_|text_|word_)?emb(?:ed|d|edding)?s?_?(?:dim|dims|size|width|length)?"
        r"|d_emb(?:ed|edding)?|ninp|width|channels|d_hidden|units|n_units|n_state|C|D|d|(?:in_|out_)?features|normalized_shape|d_dim"
        r"|(?:residual|trunk|base|inner_model)_dim",
        "width",
    ),
    (r"hidden_dims?|d_hidden_dim", "hidden_dim"),
    (r"d_state|state_size", "head_dim"),
    (r"d_conv|conv_?(?:kernel|width)?|kernel_?(?:size|width)?|conv_size", "kernel"),
    (r"(?:d_\w+|\w+_(?:dim|width))", "width"),
)
_LENGTH = re.compile(r"max_?seq(?:uence)?_?len(?:gth)?|context_len(?:gth)?")
# Which part of a model a size belongs to.
_PART = re.compile(r"(?:enc|dec|encoder|decoder|src|tgt|text|lm|model|transformer|net)_(?=\w)")
_TABLE = tuple((re.compile(pattern), role) for pattern, role in _PATTERNS)

# Roles in which the user's own smaller number is better than ours: it says how the model is meant
# to work (one expert for each token is a design), and it is cheaper.
_AT_MOST = frozenset({"top_k", "steps", "one", "multiple", "kernel", "pair"})
# Where a model asks for both, it puts layers together in blocks.
_GROUPS = re.compile(rf"{_COUNT}(?:blocks|stages)(?:_count)?", re.IGNORECASE)
_LAYERS = re.compile(rf"{_COUNT}(?:hidden_|decoder_|transformer_)?layers?", re.IGNORECASE)
# Roles of which 0 or -1 does not mean "switched off".
_NEVER_OFF = frozenset({"vocabulary", "width", "heads", "layers", "context"})
# Tiny layers are cheap, and no published model of a usual width has more of them.
_DEEPEST = 96
# An unknown number up to this is cheap whatever it is for, and may be a design (a stride).
_HARMLESS = 64


def role_of(name: str, siblings: frozenset[str] = frozenset()) -> str | None:
    """What a parameter called `name` measures; `siblings` are the names beside it."""
    lowered = name.strip("_")
    lowered = lowered if len(lowered) == 1 else lowered.lower()
    role = next((role for pattern, role in _TABLE if pattern.fullmatch(lowered)), None)
    if role is None and (part := _PART.match(lowered)):
        return role_of(lowered[part.end() :], siblings)  # dec_num_tokens is num_tokens
    if lowered == "channels" and any(role_of(each) == "image_size" for each in siblings):
        return "colours"
    if lowered == "h" and any(role_of(each) == "width" for each in siblings - {name}):
        return "heads"  # beside d; alone it may be the hidden width
    if role == "context" and lowered == "block_size" and _names_context(siblings - {name}):
        return "window"  # beside the length, it is what the length is divided into
    if role == "kv_heads" and any("kv_lora" in each for each in siblings):
        return "heads"  # latent attention makes keys for each head of what it has compressed
    if role != "hidden_dim":
        return role
    # hidden_dim is the model's width where nothing else is, else that of its feed-forward part
    others = (role_of(sibling) for sibling in siblings if sibling != name)
    return "ffn" if "width" in others else "width"


def _names_context(names: frozenset[str]) -> bool:
    """Whether one of the names is the length of a text for certain."""
    return any(_LENGTH.fullmatch(name) for name in names)


def size_for(
    name: str, default: int | None, variant: Variant, siblings: frozenset[str] = frozenset()
) -> int:
    """A small number for the parameter `name`, whose default is `default` where it has one."""
    role = role_of(name, siblings)
    if role == "kept":
        return 0 if default is None else default
    if role == "token":
        known = default is not None and default < variant.sizes["vocabulary"]
        return default if known and default is not None else 1
    if role is None:
        return _unknown_size(default)
    if default is not None and default <= 0 and role not in _NEVER_OFF:
        return default  # 0 and -1 switch a feature off
    if variant.own_depth and role == "layers" and default is not None:
        return min(default, _DEEPEST)
    size = variant.sizes[role]
    if role == "layers" and _GROUPS.fullmatch(name) and any(map(_LAYERS.fullmatch, siblings)):
        return max(2, size // 2)  # blocks of several layers, where there are enough of these
    return size if default is None or role not in _AT_MOST else min(size, default)


def _unknown_size(default: int | None) -> int:
    """A number for a name that the table does not know; small, and 2 heads or experts divide it."""
    if default is None:
        return 8
    return default if default <= _HARMLESS else 32
