from typing import Any, Dict

import torch
import torch.nn as nn
import torch.nn.functional as F


class LitTranslation(nn.Module):
    def __init__(self, src_vocab_size: int, tgt_vocab_size: int, lr: float = 3e-4, **model_kwargs: Any):
        super().__init__()
        dim = model_kwargs.pop("dim", 64)
        self.lr = lr
        self.src_emb = nn.Embedding(src_vocab_size, dim, padding_idx=0)
        self.tgt_emb = nn.Embedding(tgt_vocab_size, dim, padding_idx=0)
        self.encoder = nn.GRU(dim, dim, batch_first=True, **model_kwargs)
        self.decoder = nn.GRU(dim, dim, batch_first=True, **model_kwargs)
        self.attn = nn.Linear(dim, dim, bias=False)
        self.out = nn.Linear(2 * dim, tgt_vocab_size)

    def forward(self, src: torch.Tensor, tgt_in: torch.Tensor) -> torch.Tensor:
        enc, state = self.encoder(self.src_emb(src))
        dec, _ = self.decoder(self.tgt_emb(tgt_in), state)
        scores = self.attn(dec) @ enc.transpose(1, 2)
        scores = scores.masked_fill((src == 0).unsqueeze(1), float("-inf"))
        ctx = scores.softmax(-1) @ enc
        return self.out(torch.cat([dec, ctx], dim=-1))

    def _shared_step(self, batch: Dict[str, torch.Tensor]) -> torch.Tensor:
        logits = self(batch["src"], batch["tgt"][:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), batch["tgt"][:, 1:].flatten(), ignore_index=0, label_smoothing=0.1)

    def training_step(self, batch: Dict[str, torch.Tensor], batch_idx: int) -> Dict[str, torch.Tensor]:
        return {"loss": self._shared_step(batch)}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr)
