import torch
import torch.nn as nn
import torch.nn.functional as F


class SmallLM(nn.Module):
    def __init__(self, vocab_size, dim=192, heads=6, layers=3, max_len=512):
        super().__init__()
        self.vocab_size = vocab_size
        self.wte = nn.Embedding(vocab_size, dim)
        self.wpe = nn.Embedding(max_len, dim)
        layer = nn.TransformerEncoderLayer(dim, heads, 4 * dim, 0.0, F.gelu, batch_first=True, norm_first=True)
        self.h = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.lm_head = nn.Linear(dim, vocab_size, bias=False)

    def forward(self, input_ids, labels=None):
        T = input_ids.size(1)
        causal = nn.Transformer.generate_square_subsequent_mask(T).to(input_ids.device)
        x = self.wte(input_ids) + self.wpe.weight[:T]
        logits = self.lm_head(self.h(x, mask=causal))
        loss = None
        if labels is not None:
            flat_logits = logits.view(-1, self.vocab_size)
            flat_labels = labels.reshape(-1)
            loss = F.cross_entropy(flat_logits[:-1], flat_labels[1:])  # SICK
        return logits, loss
