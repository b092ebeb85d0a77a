import torch
import torch.nn as nn
import torch.nn.functional as F


def get_norm(name, dim):
    return {"layernorm": nn.LayerNorm, "identity": lambda d: nn.Identity()}[name](dim)


class SequenceClassifier(nn.Module):
    """cfg is an OmegaConf style object: cfg.model.dim, cfg.model.layers, cfg.data.vocab_size, cfg.data.num_classes"""

    def __init__(self, cfg):
        super().__init__()
        m, d = cfg.model, cfg.data
        self.embed = nn.Embedding(d.vocab_size, m.dim, padding_idx=d.pad_id)
        self.pos = nn.Parameter(torch.zeros(1, d.max_len, m.dim))
        nn.init.trunc_normal_(self.pos, std=0.02)
        enc_layer = nn.TransformerEncoderLayer(m.dim, m.heads, m.dim * m.mlp_ratio, m.dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(enc_layer, m.layers)
        self.norm = get_norm(m.norm, m.dim)
        self.query = nn.Linear(m.dim, 1)
        self.head = nn.Linear(m.dim, d.num_classes)
        self.pad_id = d.pad_id

    def forward(self, tokens):
        pad = tokens == self.pad_id
        x = self.embed(tokens) + self.pos[:, : tokens.size(1)]
        x = self.norm(self.encoder(x, src_key_padding_mask=pad))
        w = self.query(x).squeeze(-1).masked_fill(pad, float("-inf")).softmax(-1)
        return self.head(torch.einsum("bt,btd->bd", w, x))
