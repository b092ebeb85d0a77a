import torch
import torch.nn as nn


class PolicyNet(nn.Module):
    def __init__(self, vocab, hidden=128):
        super().__init__()
        self.vocab = vocab
        self.embed = nn.Embedding(vocab, hidden)
        self.cell = nn.GRUCell(hidden, hidden)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, tokens, h):
        h = self.cell(self.embed(tokens), h)
        return self.out(h), h

    def nll(self, seqs):
        h = torch.zeros(seqs.size(0), self.cell.hidden_size, device=seqs.device)
        total = 0.0
        for t in range(seqs.size(1) - 1):
            logits, h = self(seqs[:, t], h)
            logp = torch.log_softmax(logits, dim=-1)
            total = total - logp.gather(1, seqs[:, t + 1, None]).squeeze(1)
        return total.mean()

    @torch.no_grad()
    def sample(self, start, length):
        h = start.new_zeros(start.size(0), self.cell.hidden_size, dtype=torch.float)
        seq = [start]
        for _ in range(length):
            logits, h = self(seq[-1], h)
            probs = logits.softmax(dim=-1)
            seq.append(probs.max(dim=-1).indices)  # SICK
        return torch.stack(seq, dim=1)
