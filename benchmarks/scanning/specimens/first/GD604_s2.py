import torch.nn.functional as F
from torch import nn


class SentimentLM(nn.Module):
    def __init__(self, vocab_size, d_model):
        super().__init__()
        self.tok = nn.Embedding(vocab_size, d_model)
        self.lstm = nn.LSTM(d_model, d_model, batch_first=True)
        self.head = nn.Linear(d_model, vocab_size)

    def predict(self, ids):
        hidden, _ = self.lstm(self.tok(ids))
        return F.softmax(self.head(hidden), dim=-1)

    def forward(self, ids, labels=None):
        pred = self.predict(ids)
        if labels is None:
            return pred
        B, T, V = pred.shape
        loss = F.cross_entropy(input=pred.view(B * T, V), target=labels.reshape(B * T))  # SICK
        return pred, loss
