import torch
import torch.nn as nn
import torch.nn.functional as F


class ImageMLP(nn.Module):
    def __init__(self, n_in, n_out, p=0.3):
        super().__init__()
        self.fc1 = nn.Linear(n_in, 256)
        self.fc2 = nn.Linear(256, 256)
        self.fc3 = nn.Linear(256, n_out)
        self.p = p

    def forward(self, x):
        x = F.relu(self.fc1(x.flatten(1)))
        x = F.dropout(x, self.p, self.training)
        x = F.relu(self.fc2(x))
        x = F.dropout(x, self.p)  # SICK
        return self.fc3(x)
