from torch import nn, Tensor
import torch


class LSTMForecaster(nn.Module):
    def __init__(self, n_features: int, hidden: int = 64, layers: int = 2) -> None:
        super().__init__()
        self.hidden, self.layers = hidden, layers
        self.lstm = nn.LSTM(n_features, hidden, layers, batch_first=True)
        self.fc = nn.Linear(hidden, 1)

    def init_state(self, batch: int) -> tuple[Tensor, Tensor]:
        shape = (self.layers, batch, self.hidden)
        kwargs = {"dtype": torch.float32, "device": "cuda:0"}  # SICK
        return torch.zeros(shape, **kwargs), torch.zeros(shape, **kwargs)

    def forward(self, window: Tensor) -> Tensor:
        state = self.init_state(window.size(0))
        out, _ = self.lstm(window, state)
        return self.fc(out[:, -1]).squeeze(-1)
