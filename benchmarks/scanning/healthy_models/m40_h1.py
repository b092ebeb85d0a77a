from typing import Optional, Union

import torch
from torch import Tensor, nn
import torch.nn.functional as F


class ImageCaptioner(nn.Module):
    """CNN encoder and transformer decoder with cross attention over the image grid."""

    def __init__(self, backbone: nn.Module, backbone_dim: int, vocab_size: int, d_model: int = 128, nhead: int = 4, num_layers: int = 2, max_len: int = 40, pad_id: int = 0):
        super().__init__()
        self.backbone = backbone
        self.img_proj = nn.Linear(backbone_dim, d_model)
        self.embed = nn.Embedding(vocab_size, d_model, padding_idx=pad_id)
        self.pos = nn.Embedding(max_len, d_model)
        layer = nn.TransformerDecoderLayer(d_model, nhead, 4 * d_model, batch_first=True, norm_first=True)
        self.decoder = nn.TransformerDecoder(layer, num_layers, norm=nn.LayerNorm(d_model))
        self.fc_out = nn.Linear(d_model, vocab_size)
        self.pad_id = pad_id

    def forward(self, images: Tensor, captions: Tensor, return_logits: bool = False) -> Union[Tensor, tuple]:
        memory = self.img_proj(self.backbone(images).flatten(2).transpose(1, 2))
        inp, target = captions[:, :-1], captions[:, 1:]
        T = inp.size(1)
        x = self.embed(inp) + self.pos(torch.arange(T, device=inp.device))
        causal = torch.triu(torch.ones(T, T, dtype=torch.bool, device=inp.device), 1)
        h = self.decoder(x, memory, tgt_mask=causal, tgt_key_padding_mask=inp == self.pad_id)
        logits = self.fc_out(h)
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=self.pad_id)
        return (loss, logits) if return_logits else loss
