import torch
import torch.nn as nn
import torch.nn.functional as F


class TransformerLM(nn.Module):
    def __init__(self, ntoken, d_model=200, nhead=2, d_hid=200, nlayers=2, dropout=0.2, max_len=512):
        super().__init__()
        self.embedding = nn.Embedding(ntoken, d_model)
        self.position = nn.Embedding(max_len, d_model)
        encoder_layers = nn.TransformerEncoderLayer(d_model, nhead, d_hid, dropout, batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(encoder_layers, nlayers)
        self.linear = nn.Linear(d_model, ntoken)

    def forward(self, src, targets=None):
        seq_len = src.size(1)
        src_mask = nn.Transformer.generate_square_subsequent_mask(seq_len).to(src.device)  # SICK
        pos = torch.arange(seq_len, device=src.device)
        x = self.embedding(src) + self.position(pos)
        output = self.transformer_encoder(x)
        logits = self.linear(output)
        if targets is None:
            return logits
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1))
        return logits, loss
