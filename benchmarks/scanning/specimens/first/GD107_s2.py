from torch import nn, Tensor
from torch.nn import functional as fn


class ConvLM(nn.Module):
    """Causal convolutions over tokens, one table for both ends, started from word vectors."""

    def __init__(self, vectors: Tensor, kernel=5, depth=4):
        super().__init__()
        vocab, width = vectors.shape
        self.kernel = kernel
        self.table = nn.Embedding(vocab, width)
        self.convs = nn.ModuleList(nn.Conv1d(width, width, kernel) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.unembed = nn.Linear(width, vocab, bias=False)
        self.unembed.weight = self.table.weight
        self.load_vectors(vectors)

    def load_vectors(self, vectors: Tensor):
        self.table = nn.Embedding.from_pretrained(vectors.clone(), freeze=False)  # SICK

    def forward(self, ids, labels=None):
        h = self.table(ids).transpose(1, 2)
        for conv in self.convs:
            h = h + fn.gelu(conv(fn.pad(h, (self.kernel - 1, 0))))
        logits = self.unembed(self.norm(h.transpose(1, 2)))
        if labels is None:
            return {"logits": logits}
        loss = fn.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return {"logits": logits, "loss": loss}
