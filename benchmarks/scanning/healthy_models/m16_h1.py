from typing import Optional
import torch
import torch.nn as nn


class ToxicCommentClassifier(nn.Module):
    LABELS = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]

    def __init__(self, embedding_matrix: torch.Tensor, hidden: int = 64, pos_weight: Optional[torch.Tensor] = None):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(embedding_matrix.float(), freeze=True, padding_idx=0)
        self.spatial_dropout = nn.Dropout1d(0.2)
        self.gru = nn.GRU(embedding_matrix.size(1), hidden, bidirectional=True, batch_first=True)
        self.out = nn.Linear(hidden * 4, len(self.LABELS))
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=pos_weight)

    def forward(self, text: torch.Tensor, labels: Optional[torch.Tensor] = None):
        x = self.embedding(text)
        x = self.spatial_dropout(x.transpose(1, 2)).transpose(1, 2)
        h, _ = self.gru(x)
        pooled = torch.cat([h.mean(dim=1), h.amax(dim=1)], dim=-1)
        logits = self.out(pooled)
        output = {"logits": logits, "probs": torch.sigmoid(logits)}
        if labels is not None:
            output["loss"] = self.criterion(logits, labels.float())
        return output
