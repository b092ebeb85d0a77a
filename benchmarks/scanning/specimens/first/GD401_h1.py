import torch
import torch.nn as nn
import torch.nn.functional as F


class WordLSTM(nn.Module):
    def __init__(self, n_tokens, width=200):
        super().__init__()
        self.lookup = nn.Embedding(n_tokens, width)
        self.rnn = nn.LSTM(width, width, num_layers=2, batch_first=True)
        self.decoder = nn.Linear(width, n_tokens)

    def forward(self, tokens, labels=None):
        out, _ = self.rnn(self.lookup(tokens))
        logits = self.decoder(out)
        if labels is None:
            return logits
        loss = F.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:])
        return logits, loss

    @torch.no_grad()
    def generate(self, tokens, length, temperature=1.0):
        for _ in range(length):
            logits = self(tokens)[:, -1]
            if temperature == 0:
                nxt = logits.argmax(dim=-1, keepdim=True)
            else:
                nxt = torch.multinomial(torch.softmax(logits / temperature, dim=-1), 1)
            tokens = torch.cat([tokens, nxt], dim=1)
        return tokens
