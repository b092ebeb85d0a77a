"""What torch's layers, functions, optimizers and schedules take, as torch 2.13 has it.

One line each: `name?` has a default, "@" stands for a device and a type.  A later torch takes more
than an earlier one, so that what is refused by this list is refused by those before it; what was
taken away meanwhile is listed still.
"""

from __future__ import annotations

# What constructors of torch.nn take.
_LAYERS = """
Linear: in_features, out_features, bias? @
Bilinear: in1_features, in2_features, out_features, bias? @
Embedding: num_embeddings, embedding_dim, padding_idx?, max_norm?, norm_type?,
    scale_grad_by_freq?, sparse?, _weight?, _freeze? @
EmbeddingBag: num_embeddings, embedding_dim, max_norm?, norm_type?, scale_grad_by_freq?,
    mode?, sparse?, _weight?, include_last_offset?, padding_idx? @
LayerNorm: normalized_shape, eps?, elementwise_affine?, bias? @
RMSNorm: normalized_shape, eps?, elementwise_affine? @
GroupNorm: num_groups, num_channels, eps?, affine?, device?, dtype?, *, bias?
BatchNorm1d: num_features, eps?, momentum?, affine?, track_running_stats?, device?, dtype?,
    *, bias?
BatchNorm2d: num_features, eps?, momentum?, affine?, track_running_stats?, device?, dtype?,
    *, bias?
BatchNorm3d: num_features, eps?, momentum?, affine?, track_running_stats?, device?, dtype?,
    *, bias?
InstanceNorm2d: num_features, eps?, momentum?, affine?, track_running_stats?, device?,
    dtype?, *, bias?
Conv1d: in_channels, out_channels, kernel_size, stride?, padding?, dilation?, groups?,
    bias?, padding_mode? @
Conv2d: in_channels, out_channels, kernel_size, stride?, padding?, dilation?, groups?,
    bias?, padding_mode? @
Conv3d: in_channels, out_channels, kernel_size, stride?, padding?, dilation?, groups?,
    bias?, padding_mode? @
ConvTranspose1d: in_channels, out_channels, kernel_size, stride?, padding?, output_padding?,
    groups?, bias?, dilation?, padding_mode? @
ConvTranspose2d: in_channels, out_channels, kernel_size, stride?, padding?, output_padding?,
    groups?, bias?, dilation?, padding_mode? @
MaxPool2d: kernel_size, stride?, padding?, dilation?, return_indices?, ceil_mode?
AvgPool2d: kernel_size, stride?, padding?, ceil_mode?, count_include_pad?, divisor_override?
AdaptiveAvgPool1d: output_size
AdaptiveAvgPool2d: output_size
Upsample: size?, scale_factor?, mode?, align_corners?, recompute_scale_factor?
PixelShuffle: upscale_factor
Dropout: p?, inplace?
Dropout1d: p?, inplace?
Dropout2d: p?, inplace?
ReLU: inplace?
GELU: approximate?
SiLU: inplace?
LeakyReLU: negative_slope?, inplace?
ELU: alpha?, inplace?
Tanh: *args, **kwargs
Sigmoid: *args, **kwargs
Softplus: beta?, threshold?
Softmax: dim?
LogSoftmax: dim?
Hardswish: inplace?
Flatten: start_dim?, end_dim?
Unflatten: dim, unflattened_size
Identity: *args, **kwargs
ModuleList: modules?
MultiheadAttention: embed_dim, num_heads, dropout?, bias?, add_bias_kv?, add_zero_attn?,
    kdim?, vdim?, batch_first? @
TransformerEncoderLayer: d_model, nhead, dim_feedforward?, dropout?, activation?,
    layer_norm_eps?, batch_first?, norm_first?, bias? @
TransformerDecoderLayer: d_model, nhead, dim_feedforward?, dropout?, activation?,
    layer_norm_eps?, batch_first?, norm_first?, bias? @
TransformerEncoder: encoder_layer, num_layers, norm?, enable_nested_tensor?, mask_check?
TransformerDecoder: decoder_layer, num_layers, norm?
Transformer: d_model?, nhead?, num_encoder_layers?, num_decoder_layers?, dim_feedforward?,
    dropout?, activation?, custom_encoder?, custom_decoder?, layer_norm_eps?, batch_first?,
    norm_first?, bias? @
LSTM: input_size, hidden_size, num_layers?, bias?, batch_first?, dropout?, bidirectional?,
    proj_size? @
GRU: input_size, hidden_size, num_layers?, bias?, batch_first?, dropout?, bidirectional? @
RNN: input_size, hidden_size, num_layers?, nonlinearity?, bias?, batch_first?, dropout?,
    bidirectional? @
LSTMCell: input_size, hidden_size, bias? @
GRUCell: input_size, hidden_size, bias? @
CrossEntropyLoss: weight?, size_average?, ignore_index?, reduce?, reduction?,
    label_smoothing?
NLLLoss: weight?, size_average?, ignore_index?, reduce?, reduction?
MSELoss: size_average?, reduce?, reduction?
L1Loss: size_average?, reduce?, reduction?
SmoothL1Loss: size_average?, reduce?, reduction?, beta?
HuberLoss: reduction?, delta?
BCELoss: weight?, size_average?, reduce?, reduction?
BCEWithLogitsLoss: weight?, size_average?, reduce?, reduction?, pos_weight?
KLDivLoss: size_average?, reduce?, reduction?, log_target?
CosineEmbeddingLoss: margin?, size_average?, reduce?, reduction?
TripletMarginLoss: margin?, p?, eps?, swap?, size_average?, reduce?, reduction?
"""
# What functions of torch.nn.functional take.
_FUNCTIONS = """
softmax: input, dim?, _stacklevel?, dtype?
log_softmax: input, dim?, _stacklevel?, dtype?
cross_entropy: input, target, weight?, size_average?, ignore_index?, reduce?, reduction?,
    label_smoothing?
nll_loss: input, target, weight?, size_average?, ignore_index?, reduce?, reduction?
mse_loss: input, target, size_average?, reduce?, reduction?, weight?
l1_loss: input, target, size_average?, reduce?, reduction?, weight?
smooth_l1_loss: input, target, size_average?, reduce?, reduction?, beta?
huber_loss: input, target, reduction?, delta?, weight?
binary_cross_entropy: input, target, weight?, size_average?, reduce?, reduction?
binary_cross_entropy_with_logits: input, target, weight?, size_average?, reduce?,
    reduction?, pos_weight?
kl_div: input, target, size_average?, reduce?, reduction?, log_target?
dropout: input, p?, training?, inplace?
relu: input, inplace?
silu: input, inplace?
leaky_relu: input, negative_slope?, inplace?
layer_norm: input, normalized_shape, weight?, bias?, eps?
rms_norm: input, normalized_shape, weight?, eps?
normalize: input, p?, dim?, eps?, out?
interpolate: input, size?, scale_factor?, mode?, align_corners?, recompute_scale_factor?,
    antialias?
embedding: input, weight, padding_idx?, max_norm?, norm_type?, scale_grad_by_freq?, sparse?
gumbel_softmax: logits, tau?, hard?, eps?, dim?
batch_norm: input, running_mean, running_var, weight?, bias?, training?, momentum?, eps?
group_norm: input, num_groups, weight?, bias?, eps?
glu: input, dim?
"""
# What functions take that are built in; they know the names that NumPy uses as well.
_BUILT_IN = """
torch.softmax: input?, dim?, dtype?, axis?, a?, x?, x1?, out?
torch.log_softmax: input?, dim?, dtype?, axis?, a?, x?, x1?, out?
torch.argmax: input?, dim?, keepdim?, axis?, keepdims?, a?, x?, x1?, out?
torch.topk: input, k, dim?, largest?, sorted?, axis?, out?
torch.multinomial: input, num_samples, replacement?, *, generator?, out?
torch.nn.functional.gelu: input, approximate?
torch.nn.functional.linear: input, weight, bias?
torch.nn.functional.scaled_dot_product_attention: query, key, value, attn_mask?, dropout_p?,
    is_causal?, scale?, enable_gqa?
"""
# What optimizers take.
_OPTIMIZERS = """
Adam: params, lr?, betas?, eps?, weight_decay?, amsgrad?, *, foreach?, maximize?,
    capturable?, differentiable?, fused?, decoupled_weight_decay?
AdamW: params, lr?, betas?, eps?, weight_decay?, amsgrad?, *, maximize?, foreach?,
    capturable?, differentiable?, fused?
SGD: params, lr?, momentum?, dampening?, weight_decay?, nesterov?, *, maximize?, foreach?,
    differentiable?, fused?
RMSprop: params, lr?, alpha?, eps?, weight_decay?, momentum?, centered?, capturable?,
    foreach?, maximize?, differentiable?
Adagrad: params, lr?, lr_decay?, weight_decay?, initial_accumulator_value?, eps?, foreach?,
    *, maximize?, differentiable?, fused?
Adamax: params, lr?, betas?, eps?, weight_decay?, foreach?, *, maximize?, differentiable?,
    capturable?
NAdam: params, lr?, betas?, eps?, weight_decay?, momentum_decay?, decoupled_weight_decay?,
    *, foreach?, maximize?, capturable?, differentiable?
RAdam: params, lr?, betas?, eps?, weight_decay?, decoupled_weight_decay?, *, foreach?,
    maximize?, capturable?, differentiable?
Adadelta: params, lr?, rho?, eps?, weight_decay?, foreach?, *, capturable?, maximize?,
    differentiable?
"""
# What schedules take; `verbose` up to torch 2.6.
_SCHEDULES = """
StepLR: optimizer, step_size, gamma?, last_epoch?, verbose?
MultiStepLR: optimizer, milestones, gamma?, last_epoch?, verbose?
ExponentialLR: optimizer, gamma, last_epoch?, verbose?
CosineAnnealingLR: optimizer, T_max, eta_min?, last_epoch?, verbose?
CosineAnnealingWarmRestarts: optimizer, T_0, T_mult?, eta_min?, last_epoch?, verbose?
LambdaLR: optimizer, lr_lambda, last_epoch?, verbose?
LinearLR: optimizer, start_factor?, end_factor?, total_iters?, last_epoch?, verbose?
ConstantLR: optimizer, factor?, total_iters?, last_epoch?, verbose?
OneCycleLR: optimizer, max_lr, total_steps?, epochs?, steps_per_epoch?, pct_start?,
    anneal_strategy?, cycle_momentum?, base_momentum?, max_momentum?, div_factor?,
    final_div_factor?, three_phase?, last_epoch?, verbose?
ReduceLROnPlateau: optimizer, mode?, factor?, patience?, threshold?, threshold_mode?,
    cooldown?, min_lr?, eps?, verbose?
PolynomialLR: optimizer, total_iters?, power?, last_epoch?, verbose?
SequentialLR: optimizer, schedulers, milestones, last_epoch?, verbose?
"""
# What the layers take when they are called.
_PASSES = """
Bilinear: input1, input2
LSTM: input, hx?
GRU: input, hx?
RNN: input, hx?
LSTMCell: input, hx?
GRUCell: input, hx?
ConvTranspose1d: input, output_size?
ConvTranspose2d: input, output_size?
MultiheadAttention: query, key, value, key_padding_mask?, need_weights?, attn_mask?,
    average_attn_weights?, is_causal?
TransformerEncoderLayer: src, src_mask?, src_key_padding_mask?, is_causal?
TransformerEncoder: src, mask?, src_key_padding_mask?, is_causal?
TransformerDecoderLayer: tgt, memory, tgt_mask?, memory_mask?, tgt_key_padding_mask?,
    memory_key_padding_mask?, tgt_is_causal?, memory_is_causal?
TransformerDecoder: tgt, memory, tgt_mask?, memory_mask?, tgt_key_padding_mask?,
    memory_key_padding_mask?, tgt_is_causal?, memory_is_causal?
"""
# Those that take one tensor, under whatever name.
_ONE = """
Linear Embedding LayerNorm GroupNorm BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm2d Conv1d
Conv2d Conv3d MaxPool2d AvgPool2d AdaptiveAvgPool1d AdaptiveAvgPool2d Upsample PixelShuffle
Dropout Dropout1d Dropout2d ReLU GELU SiLU LeakyReLU ELU Tanh Sigmoid Softplus Softmax LogSoftmax
Hardswish Flatten Unflatten Identity Sequential
"""
_TWO = """
CrossEntropyLoss NLLLoss MSELoss L1Loss SmoothL1Loss HuberLoss BCELoss BCEWithLogitsLoss KLDivLoss
"""


def _read(table: str) -> dict[str, str]:
    """Names and what they take, of a table whose lines may be continued."""
    lines = table.replace("\n    ", " ").strip().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def _under(module: str, table: str) -> dict[str, str]:
    return {f"{module}.{name}": taken for name, taken in _read(table).items()}


TAKEN = {
    **_read(_BUILT_IN),
    **_under("torch.nn", _LAYERS),
    **_under("torch.nn.functional", _FUNCTIONS),
    **_under("torch.optim", _OPTIMIZERS),
    **_under("torch.optim.lr_scheduler", _SCHEDULES),
}
PASSED = {
    **_under("torch.nn", _PASSES),
    **dict.fromkeys([f"torch.nn.{name}" for name in _ONE.split()], "input"),
    **dict.fromkeys([f"torch.nn.{name}" for name in _TWO.split()], "input, target"),
}
# The last names of all that is called with what is listed here.
NAMES = tuple(sorted({name.rpartition(".")[2] for name in TAKEN}))
