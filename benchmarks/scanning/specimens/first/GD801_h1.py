import torch.nn as nn
import torch.nn.functional as F


class DilatedLayer(nn.Module):
    def __init__(self, dim, kernel_size, dilation):
        super().__init__()
        self.reach = (kernel_size - 1) * dilation
        self.conv = nn.Conv1d(dim, dim, kernel_size, dilation=dilation, padding=self.reach)
        self.mix = nn.Conv1d(dim, dim, 1)

    def forward(self, x):
        h = self.conv(x)[..., :-self.reach]
        return x + self.mix(F.relu(h))


class ByteNetLM(nn.Module):
    def __init__(self, vocab=256, dim=64, dilations=(1, 2, 4, 8)):
        super().__init__()
        self.embedding = nn.Embedding(vocab, dim)
        self.layers = nn.ModuleList([DilatedLayer(dim, 3, d) for d in dilations])
        self.output = nn.Linear(dim, vocab)

    def forward(self, x):
        x = self.embedding(x).permute(0, 2, 1)
        for layer in self.layers:
            x = layer(x)
        return self.output(x.permute(0, 2, 1))

    def loss(self, x):
        logits = self(x[:, :-1])
        return F.cross_entropy(logits.reshape(-1, logits.size(-1)), x[:, 1:].reshape(-1))
