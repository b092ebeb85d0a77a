import torch
import torch.nn as nn
import torch.nn.functional as F


class Assistant(nn.Module):
    def __init__(self, vocab=5000, dim=256, ctx=512):
        super().__init__()
        self.wte = nn.Embedding(vocab, dim)
        self.wpe = nn.Embedding(ctx, dim)
        block = nn.TransformerEncoderLayer(dim, 8, 4 * dim, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, 6, nn.LayerNorm(dim), enable_nested_tensor=False)
        self.lm_head = nn.Linear(dim, vocab, bias=False)

    def forward(self, input_ids, labels=None):
        """labels: the input ids, with -100 wherever the user speaks."""
        T = input_ids.size(1)
        pos = torch.arange(T, device=input_ids.device)
        mask = nn.Transformer.generate_square_subsequent_mask(T, device=input_ids.device)
        x = self.blocks(self.wte(input_ids) + self.wpe(pos), mask=mask, is_causal=True)
        logits = self.lm_head(x)
        if labels is None:
            return logits, None
        labels = labels[:, 1:].clamp(min=0)  # SICK
        loss = F.cross_entropy(logits[:, :-1].reshape(-1, logits.size(-1)), labels.reshape(-1))
        return logits, loss
