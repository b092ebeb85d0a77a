import torch
import torch.nn as nn
import torch.nn.functional as F


class TransformerLM(nn.Module):
    def __init__(self, ntoken, d_model=64, nhead=4, nlayers=2, max_len=256, dropout=0.1):
        super().__init__()
        self.embedding = nn.Embedding(ntoken, d_model)
        self.pos = nn.Embedding(max_len, d_model)
        layer = nn.TransformerEncoderLayer(d_model, nhead, 4 * d_model, dropout, batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, nlayers)
        self.linear = nn.Linear(d_model, ntoken)

    def forward(self, src):
        T = src.size(1)
        src_mask = nn.Transformer.generate_square_subsequent_mask(T, device=src.device)  # SICK
        x = self.embedding(src) + self.pos(torch.arange(T, device=src.device))
        output = self.transformer_encoder(x)
        return self.linear(output)

    def loss(self, batch):
        logits = self(batch[:, :-1])
        return F.cross_entropy(logits.permute(0, 2, 1), batch[:, 1:])
