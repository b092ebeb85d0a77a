import torch
import torch.nn as nn
import torch.nn.functional as F


class Reinforce(nn.Module):
    def __init__(self, obs_dim, n_actions):
        super().__init__()
        self.fc1 = nn.Linear(obs_dim, 128)
        self.fc2 = nn.Linear(128, n_actions)

    def forward(self, s):
        return F.softmax(self.fc2(F.relu(self.fc1(s))), dim=-1)

    def loss(self, states, actions, returns):
        probs = self(states)
        log_probs = torch.log(probs)  # SICK
        chosen = log_probs.gather(1, actions.unsqueeze(1)).squeeze(1)
        return -(chosen * returns).mean()
