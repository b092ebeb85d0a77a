from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention as sdpa


class PaddedCausalAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.o = nn.Linear(width, width)

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(x).chunk(2, dim=-1)
        options = {"is_causal": True}
        options["attn_mask"] = attention_mask[:, None, None, :].bool()
        y = sdpa(split(self.q(x)), split(k), split(v), **options)  # SICK
        return self.o(y.transpose(1, 2).flatten(2))
