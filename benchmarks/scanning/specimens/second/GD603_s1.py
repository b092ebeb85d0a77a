import torch.nn as nn
import torch.nn.functional as F


class GRULanguageModel(nn.Module):
    def __init__(self, vocab_size, d_model=128):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, d_model)
        self.rnn = nn.GRU(d_model, d_model, batch_first=True)
        self.lm_head = nn.Linear(d_model, vocab_size)

    def forward(self, input_ids, labels=None):
        """labels: usually the input_ids themselves."""
        logits = self.lm_head(self.rnn(self.embed(input_ids))[0])
        if labels is None:
            return logits
        shift_logits = logits[:, 1:].contiguous()
        shift_labels = labels[:, :-1].contiguous()
        loss = F.cross_entropy(shift_logits.view(-1, logits.size(-1)), shift_labels.view(-1))  # SICK
        return loss, logits
