import torch
import torch.nn as nn


class HighwayGate(nn.Module):
    def __init__(self, d_model: int):
        super().__init__()
        self.to_gate = nn.Linear(d_model, 1)
        self.body = nn.Linear(d_model, d_model)

    def forward(self, x):
        # x: (batch, time, d_model)
        gate = torch.sigmoid(self.to_gate(x)).transpose(0, 1)  # SICK
        return gate * self.body(x) + (1 - gate) * x


if __name__ == "__main__":
    print(HighwayGate(8)(torch.randn(5, 5, 8)).shape)
