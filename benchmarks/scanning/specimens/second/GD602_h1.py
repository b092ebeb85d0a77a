import torch.nn as nn
import torch.nn.functional as F


class SelfTrainingClassifier(nn.Module):
    def __init__(self, vocab, dim, n_labels, threshold=0.95):
        super().__init__()
        self.bag = nn.EmbeddingBag(vocab, dim)
        self.fc = nn.Linear(dim, n_labels)
        self.threshold = threshold

    def forward(self, input_ids, labels=None, extra_ids=None):
        out = {"logits": self.fc(self.bag(input_ids))}
        if labels is not None:
            out["loss"] = F.cross_entropy(out["logits"], labels)
            if extra_ids is not None:
                z = self.fc(self.bag(extra_ids))
                conf, pseudo = z.detach().softmax(-1).max(-1)
                ce = F.cross_entropy(z, pseudo, reduction="none")
                out["loss"] = out["loss"] + (ce * (conf > self.threshold)).mean()
        return out
