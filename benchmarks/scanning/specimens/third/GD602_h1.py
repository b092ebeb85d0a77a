import torch
import torch.nn as nn
import torch.nn.functional as F


class StoryLM(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.rnn = nn.LSTM(dim, dim, batch_first=True)
        self.proj = nn.Linear(dim, vocab)

    def forward(self, input_ids, labels=None, return_loss=False):
        h, _ = self.rnn(self.emb(input_ids))
        logits = self.proj(h)
        if labels is None and return_loss:
            labels = input_ids
        if labels is None:
            return {"logits": logits}
        targets = labels[:, 1:]
        logp = F.log_softmax(logits[:, :-1], dim=-1)
        keep = targets != -100
        picked = logp.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        loss = -(picked * keep).sum() / keep.sum().clamp(min=1)
        return {"loss": loss, "logits": logits}
