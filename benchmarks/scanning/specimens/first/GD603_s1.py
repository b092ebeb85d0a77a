import torch
import torch.nn as nn
import torch.nn.functional as F


class TinyGPT(nn.Module):
    def __init__(self, vocab=256, dim=128, ctx=128):
        super().__init__()
        self.wte = nn.Embedding(vocab, dim)
        self.wpe = nn.Embedding(ctx, dim)
        layer = nn.TransformerEncoderLayer(dim, 4, 4 * dim, dropout=0.1, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, 4, nn.LayerNorm(dim), enable_nested_tensor=False)
        self.lm_head = nn.Linear(dim, vocab, bias=False)

    def forward(self, idx):
        T = idx.size(1)
        causal = torch.ones(T, T, dtype=torch.bool, device=idx.device).triu(1)
        h = self.wte(idx) + self.wpe(torch.arange(T, device=idx.device))
        return self.lm_head(self.body(h, mask=causal))


def step(model, batch, opt):
    ids = batch["input_ids"]
    logits = model(ids)
    loss = F.cross_entropy(logits.view(-1, logits.size(-1)), ids.view(-1))  # SICK
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item()
