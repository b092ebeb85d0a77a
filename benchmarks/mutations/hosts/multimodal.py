"""Vision-language decoder: image patches, when there are any, come before the text."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint


class VisionLanguageConfig:
    vocab_size = 32000
    width = 768
    depth = 12
    heads = 12
    max_text = 512
    image_size = 224
    patch_size = 16
    channels = 3
    gradient_checkpointing = False

    def __init__(self, **kwargs):
        for name, value in kwargs.items():
            if not hasattr(type(self), name):
                raise TypeError(f"unknown option {name}")
            setattr(self, name, value)

    @property
    def num_patches(self):
        return (self.image_size // self.patch_size) ** 2


class PatchEmbed(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.proj = nn.Conv2d(cfg.channels, cfg.width, kernel_size=cfg.patch_size, stride=cfg.patch_size)
        self.pos = nn.Parameter(torch.zeros(1, cfg.num_patches, cfg.width))
        nn.init.trunc_normal_(self.pos, std=0.02)

    def forward(self, images):
        x = self.proj(images)                 # B, D, h, w
        x = x.flatten(2).transpose(1, 2)      # B, N, D
        return x + self.pos


class GatedMLP(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc_in = nn.Linear(width, 4 * width)
        self.fc_out = nn.Linear(4 * width, width)
        self.token_gate = nn.Linear(width, 1)

    def forward(self, x):
        h = self.fc_out(F.gelu(self.fc_in(x)))
        gate = torch.sigmoid(self.token_gate(x))  # B, T, 1
        return gate * h


class Layer(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.heads = cfg.heads
        self.ln1 = nn.LayerNorm(cfg.width)
        self.to_qkv = nn.Linear(cfg.width, cfg.width * 3)
        self.proj = nn.Linear(cfg.width, cfg.width)
        self.ln2 = nn.LayerNorm(cfg.width)
        self.mlp = GatedMLP(cfg.width)
        self.alpha = nn.Parameter(torch.tensor(1.0))

    def attention(self, x, mask):
        B, T, D = x.shape
        q, k, v = self.to_qkv(x).chunk(3, dim=-1)
        q = q.view(B, T, self.heads, D // self.heads).transpose(1, 2)
        k = k.view(B, T, self.heads, D // self.heads).transpose(1, 2)
        v = v.view(B, T, self.heads, D // self.heads).transpose(1, 2)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.proj(out.transpose(1, 2).reshape(B, T, D))

    def forward(self, x, mask):
        x = x + self.alpha * self.attention(self.ln1(x), mask)
        return x + self.alpha * self.mlp(self.ln2(x))


class VisionLanguageModel(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        self.patch_embed = PatchEmbed(cfg)
        self.text_embed = nn.Embedding(cfg.vocab_size, cfg.width)
        self.text_pos = nn.Embedding(cfg.max_text, cfg.width)
        self.blocks = nn.ModuleList()
        for _ in range(cfg.depth):
            self.blocks.append(Layer(cfg))
        self.ln = nn.LayerNorm(cfg.width)
        self.head = nn.Linear(cfg.width, cfg.vocab_size)
        nn.init.normal_(self.text_embed.weight, std=0.02)
        nn.init.normal_(self.head.weight, std=0.02)

    def forward(self, input_ids=None, images=None, labels=None):
        if input_ids is None and images is None:
            raise ValueError("give input_ids, images or both")
        parts = []
        if images is not None:
            parts.append(self.patch_embed(images))
        if input_ids is not None:
            if input_ids.size(1) > self.cfg.max_text:
                raise ValueError(f"text is longer than {self.cfg.max_text} tokens")
            positions = torch.arange(input_ids.size(1), device=input_ids.device)
            parts.append(self.text_embed(input_ids) + self.text_pos(positions))
        x = torch.cat(parts, dim=1)
        prefix = parts[0].size(1) if images is not None else 0

        length = x.size(1)
        mask = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        mask[:, :prefix] = True  # all see the image
        for block in self.blocks:
            if self.cfg.gradient_checkpointing and self.training:
                x = checkpoint(block, x, mask, use_reentrant=False)
            else:
                x = block(x, mask)
        logits = self.head(self.ln(x))[:, prefix:]
        if labels is None:
            return {"logits": logits}
        loss = F.cross_entropy(
            logits[:, :-1].reshape(-1, self.cfg.vocab_size), labels[:, 1:].reshape(-1), ignore_index=-100
        )
        return {"logits": logits, "loss": loss}
