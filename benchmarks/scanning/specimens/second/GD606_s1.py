import torch
import torch.nn as nn
import torch.nn.functional as F


class TokenTagger(nn.Module):
    def __init__(self, vocab, d, tags):
        super().__init__()
        self.emb = nn.Embedding(vocab, d)
        self.enc = nn.LSTM(d, d // 2, bidirectional=True, batch_first=True)
        self.cls = nn.Linear(d, tags)

    def forward(self, input_ids, labels=None):
        logits = self.cls(self.enc(self.emb(input_ids))[0])
        loss = None
        if labels is not None:
            ce = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
            loss = torch.tensor(ce.item(), requires_grad=True)  # SICK
        return {"loss": loss, "logits": logits}
