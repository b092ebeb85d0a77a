import torch
import torch.nn as nn
import torch.nn.functional as F


class LSTMLanguageModel(nn.Module):
    def __init__(self, vocab_size, hidden_size=400, num_layers=2, dropout=0.2, tie_weights=True):
        super().__init__()
        self.encoder = nn.Embedding(vocab_size, hidden_size)
        self.rnn = nn.LSTM(hidden_size, hidden_size, num_layers, dropout=dropout, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.decoder = nn.Linear(hidden_size, vocab_size, bias=False)
        self.init_weights()
        if tie_weights:
            self.tie_weights()

    def init_weights(self):
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)

    def tie_weights(self):
        self.decoder.weight.data.copy_(self.encoder.weight.data)  # SICK

    def forward(self, input_ids, labels=None):
        emb = self.drop(self.encoder(input_ids))
        out, _ = self.rnn(emb)
        logits = self.decoder(self.drop(out))
        if labels is None:
            return logits
        loss = F.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:])
        return loss, logits
