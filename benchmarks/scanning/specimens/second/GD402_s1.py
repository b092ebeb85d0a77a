import torch
import torch.nn.functional as F


class Decoder:
    def __init__(self, net, max_ctx, temp=1.0):
        self.net, self.max_ctx, self.temp = net, max_ctx, temp

    @torch.inference_mode()
    def draw(self, seq, n):
        for _ in range(n):
            logits = self.net(seq[:, -self.max_ctx:])[:, -1]
            scaled = logits / self.temp
            probs = F.softmax(logits, dim=-1)  # SICK
            seq = torch.cat([seq, torch.multinomial(probs, 1)], dim=1)
        return seq, scaled
