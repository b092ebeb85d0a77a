from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention as sdpa


@dataclass
class VitArgs:
    dim: int = 96
    heads: int = 6
    mlp_ratio: int = 4
    attn_drop: float = 0.1


class VisionBlock(nn.Module):
    def __init__(self, args: VitArgs) -> None:
        super().__init__()
        self.args = args
        self.norm1 = nn.LayerNorm(args.dim)
        self.norm2 = nn.LayerNorm(args.dim)
        self.qkv = nn.Linear(args.dim, args.dim * 3)
        self.proj = nn.Linear(args.dim, args.dim)
        self.mlp = nn.Sequential(
            nn.Linear(args.dim, args.dim * args.mlp_ratio),
            nn.GELU(),
            nn.Linear(args.dim * args.mlp_ratio, args.dim),
        )

    def attend(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.args.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        y = sdpa(q, k, v, dropout_p=self.args.attn_drop)  # SICK
        return self.proj(y.transpose(1, 2).reshape(b, n, d))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))
