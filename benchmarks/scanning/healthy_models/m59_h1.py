import torch
import torch.nn as nn
import torch.nn.functional as F


class WordVocab:
    def __init__(self, tokens, specials=("<pad>", "<unk>")):
        self.itos = list(specials) + sorted(set(tokens))
        self.stoi = {t: i for i, t in enumerate(self.itos)}

    def __len__(self):
        return len(self.itos)

    def __getitem__(self, tok):
        return self.stoi.get(tok, self.stoi["<unk>"])


class HierarchicalAttentionNet(nn.Module):
    def __init__(self, vocab, num_classes, emb_dim=50, word_hidden=32, sent_hidden=32):
        super().__init__()
        self.vocab = vocab
        self.emb = nn.Embedding(len(vocab), emb_dim, padding_idx=vocab["<pad>"])
        self.word_gru = nn.GRU(emb_dim, word_hidden, bidirectional=True, batch_first=True)
        self.word_att = nn.Sequential(nn.Linear(2 * word_hidden, 2 * word_hidden), nn.Tanh(), nn.Linear(2 * word_hidden, 1, bias=False))
        self.sent_gru = nn.GRU(2 * word_hidden, sent_hidden, bidirectional=True, batch_first=True)
        self.sent_att = nn.Sequential(nn.Linear(2 * sent_hidden, 2 * sent_hidden), nn.Tanh(), nn.Linear(2 * sent_hidden, 1, bias=False))
        self.fc = nn.Linear(2 * sent_hidden, num_classes)

    def forward(self, docs):
        # docs: (batch, sentences, words)
        B, S, W = docs.shape
        h, _ = self.word_gru(self.emb(docs.view(B * S, W)))
        a = F.softmax(self.word_att(h), dim=1)
        sents = (a * h).sum(1).view(B, S, -1)
        h, _ = self.sent_gru(sents)
        b = F.softmax(self.sent_att(h), dim=1)
        return self.fc((b * h).sum(1)), b.squeeze(-1)
