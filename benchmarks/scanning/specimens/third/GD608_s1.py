import torch
import torch.nn as nn
from typing import Optional


class CustomBertClassifier(nn.Module):
    def __init__(self, bert: nn.Module, hidden_size: int, num_labels: int, dropout: float = 0.1):
        super().__init__()
        self.bert = bert
        self.num_labels = num_labels
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden_size, num_labels)

    def forward(  # SICK
        self,
        input_ids: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        labels: Optional[torch.Tensor] = None,
    ):
        hidden = self.bert(input_ids, attention_mask=attention_mask)[0]
        cls = self.dropout(hidden[:, 0])
        logits = self.classifier(cls)
        return {"logits": logits, "hidden": cls}
