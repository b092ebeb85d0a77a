import torch
import torch.nn as nn
import torch.nn.functional as F


class ChatRNN(nn.Module):
    """Texts come right-padded with `pad_id`; `lengths` tells their true sizes."""

    def __init__(self, vocab, width, pad_id=0):
        super().__init__()
        self.emb = nn.Embedding(vocab, width, padding_idx=pad_id)
        self.rnn = nn.LSTM(width, width, batch_first=True)
        self.proj = nn.Linear(width, vocab)

    def forward(self, ids, lengths):
        logits = self.proj(self.rnn(self.emb(ids))[0])[:, :-1]
        target = ids[:, 1:]
        inside = torch.arange(1, ids.size(1), device=ids.device)[None, :] < lengths[:, None]
        loss = F.cross_entropy(logits[inside], target[inside])
        return logits, loss


if __name__ == "__main__":
    m = ChatRNN(30, 8)
    print(m(torch.tensor([[4, 5, 6, 0], [7, 8, 9, 3]]), torch.tensor([3, 4]))[1])
