from torch import nn, Tensor


class DetectionHead(nn.Module):
    def __init__(self, ch: int, classes: int) -> None:
        super().__init__()
        self.neck = nn.Conv2d(ch, ch, 3, padding=1)
        self.outputs = nn.ModuleDict({
            "cls": nn.Conv2d(ch, classes, 1),
            "box": nn.Conv2d(ch, 4, 1),
        })

    def forward(self, levels: list[Tensor]) -> dict[str, list[Tensor]]:
        result: dict[str, list[Tensor]] = {"cls": [], "box": []}
        for level in levels:
            h = self.neck(level).relu()
            for name, out in self.outputs(h).items():  # SICK
                result[name].append(out.flatten(2).transpose(1, 2))
        return result
