import torch
import torch.nn as nn
import torch.nn.functional as F


class GPTLite(nn.Module):
    def __init__(self, vocab, d=128, heads=4, layers=4, block=64, p=0.1):
        super().__init__()
        self.block = block
        self.te = nn.Embedding(vocab, d)
        self.pe = nn.Parameter(torch.randn(block, d) * 0.02)
        enc = nn.TransformerEncoderLayer(d, heads, 4 * d, p, "gelu", batch_first=True, norm_first=True)
        self.tf = nn.TransformerEncoder(enc, layers, nn.LayerNorm(d), enable_nested_tensor=False)
        self.lm = nn.Linear(d, vocab, bias=False)
        self.register_buffer("mask", torch.ones(block, block).triu(1).bool())

    def forward(self, x, y=None):
        t = x.size(1)
        h = self.tf(self.te(x) + self.pe[:t], mask=self.mask[:t, :t])
        logits = self.lm(h)
        loss = F.cross_entropy(logits.flatten(0, 1), y.flatten()) if y is not None else None
        return logits, loss

    @torch.no_grad()
    def generate(self, x, n):
        self.eval()  # SICK
        for _ in range(n):
            logits, _ = self(x[:, -self.block:])
            nxt = torch.multinomial(torch.softmax(logits[:, -1], -1), 1)
            x = torch.cat((x, nxt), 1)
        return x


def train(model, batches, opt, prompt):
    for i, (x, y) in enumerate(batches):
        _, loss = model(x, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if i % 500 == 0:
            print(i, loss.item(), model.generate(prompt, 20).tolist())
