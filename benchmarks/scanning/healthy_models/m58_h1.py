from typing import Optional, Tuple

import torch
from torch import nn, Tensor
import torch.nn.functional as F


class SpanQA(nn.Module):
    def __init__(self, pretrained_embeddings: Tensor, hidden_size: int = 64, type_vocab_size: int = 2, dropout: float = 0.1):
        super().__init__()
        dim = pretrained_embeddings.size(1)
        self.word = nn.Embedding.from_pretrained(pretrained_embeddings, freeze=False, padding_idx=0)
        self.segment = nn.Embedding(type_vocab_size, dim)
        self.rnn = nn.LSTM(dim, hidden_size, num_layers=2, bidirectional=True, batch_first=True, dropout=dropout)
        self.qa_outputs = nn.Linear(2 * hidden_size, 2)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor, start_positions: Optional[Tensor] = None, end_positions: Optional[Tensor] = None) -> Tuple[Optional[Tensor], Tensor, Tensor]:
        x = self.word(input_ids) + self.segment(token_type_ids)
        h, _ = self.rnn(x)
        start_logits, end_logits = self.qa_outputs(h).unbind(-1)
        pad = input_ids.eq(0)
        start_logits = start_logits.masked_fill(pad, -1e4)
        end_logits = end_logits.masked_fill(pad, -1e4)
        loss = None
        if start_positions is not None and end_positions is not None:
            ignored = start_logits.size(1)
            loss_fct = nn.CrossEntropyLoss(ignore_index=ignored)
            loss = (loss_fct(start_logits, start_positions.clamp(0, ignored)) + loss_fct(end_logits, end_positions.clamp(0, ignored))) / 2
        return loss, start_logits, end_logits
