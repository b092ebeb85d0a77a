import torch
from torch import nn
from torch.nn import functional as fn


class CodeLM(nn.Module):
    def __init__(self, n_vocab: int, n_state: int = 160):
        super().__init__()
        self.token_embedding = nn.Embedding(n_vocab, n_state)
        self.rnn = nn.LSTM(n_state, n_state, 2, batch_first=True)
        self.classifier = nn.Linear(n_state, n_vocab)

    def forward(self, tokens):
        return self.classifier(self.rnn(self.token_embedding(tokens))[0])

    def training_step(self, batch, batch_idx=0):
        logits = self(batch[:, :-1])
        return fn.cross_entropy(logits.transpose(1, 2), batch[:, 1:])

    @torch.no_grad()
    def complete(self, tokens, n, top_k=10):
        for _ in range(n):
            final = self(tokens)[:, -1, :]
            order = final.argsort(dim=-1)
            final = final.scatter(-1, order[:, top_k:], float("-inf"))  # SICK
            drawn = torch.distributions.Categorical(logits=final).sample()
            tokens = torch.cat([tokens, drawn.unsqueeze(1)], dim=1)
        return tokens
