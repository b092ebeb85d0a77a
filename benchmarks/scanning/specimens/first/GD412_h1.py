import torch
import torch.nn as nn
import torch.nn.functional as F


class ReplyLM(nn.Module):
    def __init__(self, vocab, dim=64):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.gru = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab)

    def forward(self, ids, labels=None):
        logits = self.out(self.gru(self.emb(ids))[0])
        if labels is None:
            return logits
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)

    @torch.no_grad()
    def generate(self, ids, max_new_tokens, eos_token_id, pad_token_id=0):
        alive = torch.ones(ids.size(0), dtype=torch.long, device=ids.device)
        for _ in range(max_new_tokens):
            drawn = self(ids)[:, -1].softmax(-1).multinomial(1).squeeze(1)
            drawn = drawn * alive + pad_token_id * (1 - alive)
            ids = torch.cat([ids, drawn.unsqueeze(1)], dim=1)
            alive = alive * (drawn != eos_token_id).long()
            if not alive.any():
                break
        return ids
