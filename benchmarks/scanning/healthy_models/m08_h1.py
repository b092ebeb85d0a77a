import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class BiLSTMTagger(nn.Module):
    def __init__(self, vocab_size: int, tagset_size: int, embedding_dim: int = 100, hidden_dim: int = 128, pad_idx: int = 0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_idx)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim // 2, batch_first=True, bidirectional=True)
        self.hidden2tag = nn.Linear(hidden_dim, tagset_size)
        self.loss_fn = nn.CrossEntropyLoss(ignore_index=-100)

    def forward(self, sentences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        embeds = self.embedding(sentences)
        packed = pack_padded_sequence(embeds, lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, _ = self.lstm(packed)
        out, _ = pad_packed_sequence(out, batch_first=True, total_length=sentences.size(1))
        return self.hidden2tag(out)

    def compute_loss(self, emissions: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
        return self.loss_fn(emissions.reshape(-1, emissions.size(-1)), tags.reshape(-1))
