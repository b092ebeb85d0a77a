import torch
import torch.nn as nn
import torch.nn.functional as F


class GRULanguageModel2(nn.Module):
    def __init__(self, vocab_size, d_model=128):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, d_model)
        self.rnn = nn.GRU(d_model, d_model, batch_first=True)
        self.lm_head = nn.Linear(d_model, vocab_size)

    def forward(self, input_ids, labels=None):
        """labels: the input_ids themselves; the shift happens in here."""
        logits = self.lm_head(self.rnn(self.embed(input_ids))[0])
        if labels is None:
            return logits
        labels = F.pad(labels, (0, 1), value=-100)
        shifted = labels[..., 1:]
        loss = F.cross_entropy(logits.transpose(1, 2), shifted, ignore_index=-100)
        return loss, logits
