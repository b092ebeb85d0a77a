import torch
import torch.nn as nn
from torch.nn import functional as fn


class ByteModel(nn.Module):
    def __init__(self, dim=160):
        super().__init__()
        self.emb = nn.Embedding(256, dim)
        self.gru = nn.GRU(dim, dim, num_layers=2, batch_first=True)
        self.to_byte = nn.Linear(dim, 256)

    def forward(self, input_ids, labels=None):
        scores = self.to_byte(self.gru(self.emb(input_ids))[0])
        if labels is None:
            return {"logits": scores}
        shift_logits = scores[..., 1:, :].contiguous()
        shift_labels = labels[..., :-1].contiguous()
        loss = fn.cross_entropy(shift_logits.view(-1, 256), shift_labels.view(-1))  # SICK
        return {"loss": loss, "logits": scores}


if __name__ == "__main__":
    text = torch.tensor([list(b"to be or not to be")])
    print(ByteModel()(text, labels=text)["loss"])
