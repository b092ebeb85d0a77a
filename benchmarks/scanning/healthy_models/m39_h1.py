import torch
import torch.nn as nn


class VQAModel(nn.Module):
    def __init__(self, question_vocab, answer_vocab, img_channels=3, dim=128, heads=4, layers=2):
        super().__init__()
        self.img_enc = nn.Sequential(
            nn.Conv2d(img_channels, dim // 2, 7, stride=4, padding=3), nn.ReLU(), nn.Conv2d(dim // 2, dim, 3, stride=2, padding=1)
        )
        self.q_emb = nn.Embedding(len(question_vocab), dim, padding_idx=0)
        self.q_rnn = nn.GRU(dim, dim, batch_first=True)
        self.cross = nn.ModuleList([nn.MultiheadAttention(dim, heads, batch_first=True) for _ in range(layers)])
        self.norms = nn.ModuleList([nn.LayerNorm(dim) for _ in range(layers)])
        self.classifier = nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Linear(dim, len(answer_vocab)))

    def forward(self, image, question, question_len):
        v = self.img_enc(image).flatten(2).transpose(1, 2)
        q, _ = self.q_rnn(self.q_emb(question))
        last = q[torch.arange(q.size(0), device=q.device), question_len - 1]
        x = q
        for attn, norm in zip(self.cross, self.norms):
            out, _ = attn(x, v, v)
            x = norm(x + out)
        mask = (torch.arange(q.size(1), device=q.device)[None] < question_len[:, None]).unsqueeze(-1)
        pooled = (x * mask).sum(1) / question_len.unsqueeze(-1)
        return self.classifier(torch.cat([pooled, last], dim=-1))
