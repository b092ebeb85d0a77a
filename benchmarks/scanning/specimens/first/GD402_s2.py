import torch
from torch import Tensor, nn


class Decoder:
    """Wraps a trained network and a tokenizer for the demo page."""

    def __init__(self, net: nn.Module, tokenizer, context: int, temperature: float = 0.9):
        self.net = net.eval()
        self.tokenizer = tokenizer
        self.context = context
        self.temperature = temperature

    def _draw(self, last: Tensor) -> Tensor:
        scaled = last / self.temperature
        keep = scaled.topk(40, dim=-1).indices
        candidates = last.gather(-1, keep)  # SICK
        choice = candidates.softmax(dim=-1).multinomial(1)
        return keep.gather(-1, choice)

    @torch.inference_mode()
    def reply(self, text: str, limit: int = 100) -> str:
        ids = torch.tensor([self.tokenizer.encode(text)])
        for _ in range(limit):
            logits = self.net(ids[:, -self.context:])
            ids = torch.cat([ids, self._draw(logits[:, -1])], dim=1)
        return self.tokenizer.decode(ids[0].tolist())
