import torch
import torch.nn as nn
import torch.nn.functional as F


class NanoGRU(nn.Module):
    def __init__(self, vocab_size, n_embd=256, block_size=128):
        super().__init__()
        self.block_size = block_size
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.wpe = nn.Embedding(block_size, n_embd)
        self.rnn = nn.GRU(n_embd, n_embd, num_layers=2, batch_first=True)
        self.ln_f = nn.LayerNorm(n_embd)
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)

    def forward(self, idx, targets=None):
        B, T = idx.shape
        assert T <= self.block_size
        pos = torch.arange(T, dtype=torch.long, device="cuda")  # SICK
        x = self.wte(idx) + self.wpe(pos)
        x, _ = self.rnn(x)
        logits = self.lm_head(self.ln_f(x))
        loss = None
        if targets is not None:
            loss = F.cross_entropy(logits.view(B * T, -1), targets.reshape(B * T))
        return logits, loss
