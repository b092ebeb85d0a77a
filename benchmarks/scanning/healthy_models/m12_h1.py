from typing import Dict, Optional

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class CLIP(nn.Module):
    def __init__(self, embed_dim: int, image_resolution: int, patch_size: int, vision_width: int, context_length: int, vocab_size: int, text_width: int, heads: int = 4, layers: int = 2):
        super().__init__()
        self.patch = nn.Conv2d(3, vision_width, patch_size, patch_size)
        n = (image_resolution // patch_size) ** 2
        self.cls = nn.Parameter(torch.randn(vision_width) * 0.02)
        self.vpos = nn.Parameter(torch.randn(n + 1, vision_width) * 0.02)
        self.visual = nn.TransformerEncoder(nn.TransformerEncoderLayer(vision_width, heads, 4 * vision_width, batch_first=True), layers)
        self.token_embedding = nn.Embedding(vocab_size, text_width)
        self.tpos = nn.Parameter(torch.randn(context_length, text_width) * 0.01)
        self.text = nn.TransformerEncoder(nn.TransformerEncoderLayer(text_width, heads, 4 * text_width, batch_first=True), layers)
        self.visual_projection = nn.Linear(vision_width, embed_dim, bias=False)
        self.text_projection = nn.Linear(text_width, embed_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.ones([]) * np.log(1 / 0.07))
        self.register_buffer("causal", torch.full((context_length, context_length), float("-inf")).triu(1), persistent=False)

    def encode_image(self, image: torch.Tensor) -> torch.Tensor:
        x = self.patch(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.size(0), 1, -1), x], dim=1) + self.vpos
        return self.visual_projection(self.visual(x)[:, 0])

    def encode_text(self, text: torch.Tensor) -> torch.Tensor:
        L = text.size(1)
        x = self.text(self.token_embedding(text) + self.tpos[:L], mask=self.causal[:L, :L])
        # eot token has the highest id
        return self.text_projection(x[torch.arange(x.size(0)), text.argmax(dim=-1)])

    def forward(self, pixel_values: torch.Tensor, input_ids: torch.Tensor, return_loss: bool = False) -> Dict[str, Optional[torch.Tensor]]:
        img = F.normalize(self.encode_image(pixel_values), dim=-1)
        txt = F.normalize(self.encode_text(input_ids), dim=-1)
        logits_per_image = self.logit_scale.exp().clamp(max=100) * img @ txt.t()
        loss = None
        if return_loss:
            y = torch.arange(img.size(0), device=img.device)
            loss = (F.cross_entropy(logits_per_image, y) + F.cross_entropy(logits_per_image.t(), y)) / 2
        return {"loss": loss, "logits_per_image": logits_per_image, "logits_per_text": logits_per_image.t()}
