import torch
import torch.nn as nn
import torch.nn.functional as F


class SimCSE(nn.Module):
    """Unsupervised SimCSE: two dropout passes of the same sentence are positives."""

    def __init__(self, encoder, hidden_size, temp=0.05, pooler="cls"):
        super().__init__()
        self.encoder = encoder
        self.mlp = nn.Sequential(nn.Linear(hidden_size, hidden_size), nn.Tanh())
        self.temp = temp
        self.pooler = pooler

    def encode(self, input_ids, attention_mask):
        h = self.encoder(input_ids, attention_mask)
        if self.pooler == "cls":
            return self.mlp(h[:, 0])
        m = attention_mask.unsqueeze(-1).float()
        return self.mlp((h * m).sum(1) / m.sum(1))

    def forward(self, input_ids, attention_mask):
        z1 = self.encode(input_ids, attention_mask)
        z2 = self.encode(input_ids, attention_mask)
        sim = F.cosine_similarity(z1.unsqueeze(1), z2.unsqueeze(0), dim=-1) / self.temp
        return F.cross_entropy(sim, torch.arange(sim.size(0), device=sim.device))


class TinyEncoder(nn.Module):
    def __init__(self, vocab_size, hidden_size, max_len=128, n_layers=2):
        super().__init__()
        self.tok = nn.Embedding(vocab_size, hidden_size)
        self.pos = nn.Embedding(max_len, hidden_size)
        layer = nn.TransformerEncoderLayer(hidden_size, 4, hidden_size * 4, dropout=0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, n_layers)

    def forward(self, input_ids, attention_mask):
        pos = torch.arange(input_ids.size(1), device=input_ids.device)
        x = self.tok(input_ids) + self.pos(pos)
        return self.layers(x, src_key_padding_mask=attention_mask == 0)
