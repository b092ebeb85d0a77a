import torch
import torch.nn as nn
import torch.nn.functional as F


class SpanTagger(nn.Module):
    def __init__(self, vocab, d, tags):
        super().__init__()
        self.emb = nn.Embedding(vocab, d)
        self.enc = nn.LSTM(d, d // 2, bidirectional=True, batch_first=True)
        self.cls = nn.Linear(d, tags)

    def forward(self, input_ids, labels=None):
        logits = self.cls(self.enc(self.emb(input_ids))[0])
        loss = None
        if labels is not None:
            loss = torch.zeros((), device=logits.device)
            loss = loss + F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        report = loss.item() if loss is not None else None
        return {"loss": loss, "logits": logits.detach(), "report": report}
