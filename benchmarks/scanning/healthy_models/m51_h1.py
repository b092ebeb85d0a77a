import torch
import torch.nn as nn


class Attention(nn.Module):
    def __init__(self, hidden_dim):
        super().__init__()
        self.W1 = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.W2 = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.vt = nn.Linear(hidden_dim, 1, bias=False)

    def forward(self, dec_state, enc_out, mask):
        u = self.vt(torch.tanh(self.W1(enc_out) + self.W2(dec_state).unsqueeze(1))).squeeze(-1)
        return u.masked_fill(mask == 0, -1e9).log_softmax(dim=-1)


class PointerNetwork(nn.Module):
    def __init__(self, input_dim, embedding_dim, hidden_dim):
        super().__init__()
        self.embedding = nn.Linear(input_dim, embedding_dim)
        self.encoder = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
        self.decoder = nn.LSTMCell(embedding_dim, hidden_dim)
        self.attn = Attention(hidden_dim)
        self.start = nn.Parameter(torch.randn(embedding_dim) * 0.1)

    def forward(self, input_seq, target=None):
        B, N, _ = input_seq.shape
        emb = self.embedding(input_seq)
        enc_out, (h, c) = self.encoder(emb)
        h, c = h[0], c[0]
        mask = torch.ones(B, N, device=input_seq.device)
        dec_in = self.start.expand(B, -1)
        log_probs, pointers = [], []
        for t in range(N):
            h, c = self.decoder(dec_in, (h, c))
            logp = self.attn(h, enc_out, mask)
            idx = target[:, t] if target is not None else logp.argmax(-1)
            mask = mask.scatter(1, idx.unsqueeze(1), 0)
            dec_in = emb[torch.arange(B, device=emb.device), idx]
            log_probs.append(logp)
            pointers.append(idx)
        return torch.stack(log_probs, 1), torch.stack(pointers, 1)
