import torch
import torch.nn as nn


class QNetwork(nn.Module):
    def __init__(self, state_size, action_size, hidden=64):
        super().__init__()
        self.fc1 = nn.Linear(state_size, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, action_size)

    def forward(self, s):
        s = torch.relu(self.fc1(s))
        s = torch.relu(self.fc2(s))
        return self.fc3(s)


class Agent:
    def __init__(self, state_size, action_size, gamma=0.99, lr=5e-4):
        self.gamma = gamma
        self.q = QNetwork(state_size, action_size)
        self.target = QNetwork(state_size, action_size)
        self.target.load_state_dict(self.q.state_dict())
        self.optimizer = torch.optim.Adam(self.q.parameters(), lr=lr)
        self.huber = nn.SmoothL1Loss(reduction="none")

    def learn(self, s, a, r, s2, done):
        with torch.no_grad():
            y = r + self.gamma * self.target(s2).max(dim=1).values * (1 - done)
        q = self.q(s).gather(1, a.unsqueeze(1)).squeeze(1)
        td = self.huber(q, y)
        self.optimizer.zero_grad()
        td.backward()  # SICK
        self.optimizer.step()
        return td.detach()
