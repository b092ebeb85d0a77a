import torch
import torch.nn as nn
import torch.nn.functional as F


class LitMusicModel(nn.Module):
    def __init__(self, n_tokens=388, width=256, depth=4, heads=4, max_len=1024, lr=3e-4):
        super().__init__()
        self.lr = lr
        self.note = nn.Embedding(n_tokens, width)
        self.time = nn.Embedding(max_len, width)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, batch_first=True)
        self.decoder = nn.TransformerEncoder(layer, depth)
        self.to_logits = nn.Linear(width, n_tokens)

    def forward(self, ids):
        n = ids.shape[1]
        mask = torch.triu(torch.full((n, n), float("-inf"), device=ids.device), diagonal=1)
        x = self.note(ids) + self.time(torch.arange(n, device=ids.device))
        return self.to_logits(self.decoder(x, mask=mask, is_causal=True))

    def training_step(self, batch, batch_idx):
        ids = batch["input_ids"]
        logits = self(ids)
        return F.cross_entropy(logits.flatten(0, 1), ids.flatten())  # SICK

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.lr)
