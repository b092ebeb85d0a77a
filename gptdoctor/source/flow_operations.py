"""What torch's operations do to a gradient and to values, and what parameters' names tell of it."""

from __future__ import annotations

import re


def _words(text: str) -> re.Pattern[str]:
    return re.compile(rf"({'|'.join(text.split())})$")


# Attributes that tell of a tensor without carrying its values.
METADATA = _words(
    """shape dtype device ndim layout is_cuda requires_grad indices grad data training itemsize
    is_sparse nbytes is_leaf grad_fn"""
)
# Functions and methods whose result has no gradient: integers, truth values, steps (their slope
# is zero), fresh tensors, numbers, copies of a module with weights of their own.
WITHOUT_GRADIENT = _words(
    """argmax argmin argsort argwhere nonzero multinomial bincount histc searchsorted bucketize
    one_hot eq ne lt le gt ge greater greater_equal less less_equal equal not_equal allclose
    isclose isnan isinf isfinite isin any all logical_and logical_or logical_not logical_xor
    bitwise_and bitwise_or bitwise_not count_nonzero unique unique_consecutive sign sgn round
    floor ceil trunc heaviside bernoulli item tolist numpy detach long int bool byte short
    size dim numel nelement stride element_size storage_offset data_ptr get_device
    is_floating_point tensor as_tensor from_numpy zeros ones empty full rand randn randint randperm
    arange linspace eye
    zeros_like ones_like empty_like full_like rand_like randn_like randint_like new_zeros new_ones
    new_empty new_full new_tensor tril_indices triu_indices finfo iinfo is_grad_enabled
    parameters named_parameters children modules state_dict keys get_seq_length deepcopy"""
)
# Builtin functions that make plain values of tensors.
PLAIN_RESULT = _words("len range isinstance hasattr type id str repr float int bool print format")
# Methods whose arguments say how, not what: a dtype, a device, a tensor of the wanted shape.
ONLY_RECEIVER = _words(
    """to type type_as expand_as view_as reshape_as expand view reshape repeat repeat_interleave
    gather index_select take_along_dim masked_select unsqueeze squeeze transpose permute"""
)
# Pairs of values and indices, or lengths: the second item has no gradient.
VALUES_AND_INDICES = _words(
    "topk sort max min median mode kthvalue cummax cummin unique pad_packed_sequence"
)
# Parameters of these names hold integers, masks or settings, never a gradient.
PLAIN_NAME = re.compile(
    r"(^|_)(ids?|idx|index|indices|indexes|pos|positions?|masks?|labels?|lengths?|lens?|sizes?|shape"
    r"|grids?|thw|steps?|timesteps?|seed|num|count|temperature|dtype|device|config|cfg|cache"
    r"|layer|level|box|boxes|bbox|ratio|training|coords?|dims?|seqlens?|offsets?|cu|rope|freqs?"
    r"|types?|n|t|height|width)(_?\d*)$"
)
# Parameters of these names hold what layers pass on; others may be given by the data.
ACTIVATION_NAME = re.compile(
    r"^[xhzqkvyu]\d*$|hidden|state|logit|feat|emb|attn|attention|scores?|gate|prob|weights?$|query"
    r"|key|value|activation|residual|latent|context|memory|output"
)
PLAIN_ANNOTATION = re.compile(
    r"LongTensor|IntTensor|BoolTensor|\b(int|bool|float|str|device|dtype)\b"
)
TENSOR = re.compile(r"\b(Float)?Tensor\b")
SOFTMAXES = frozenset({"softmax", "log_softmax"})
# What leaves the numbers as they are, or as good as that, and the dimensions where they are.
PASSING = frozenset(
    {"float", "half", "double", "bfloat16", "to", "type", "type_as", "contiguous", "clone", "cpu"}
    | {"dropout", "dropout_", "nan_to_num", "nan_to_num_", "cuda", "checkpoint_name"}
)
RESHAPING = frozenset(
    {"view", "reshape", "unsqueeze", "squeeze", "flatten", "unflatten", "expand", "repeat"}
    | {"transpose", "permute", "swapaxes", "movedim", "rearrange", "chunk", "split", "unbind"}
)
BOUNDING = frozenset({"tanh", "tanh_", "clamp", "clamp_", "sigmoid", "relu", "exp", "log", "pow"})
