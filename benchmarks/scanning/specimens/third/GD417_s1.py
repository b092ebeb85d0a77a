import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical


class Policy(nn.Module):
    def __init__(self, obs_dim=4, n_actions=2):
        super().__init__()
        self.affine1 = nn.Linear(obs_dim, 128)
        self.dropout = nn.Dropout(p=0.2)
        self.affine2 = nn.Linear(128, n_actions)

    def forward(self, x):
        x = F.relu(self.dropout(self.affine1(x)))
        return F.softmax(self.affine2(x), dim=1)


def select_action(policy, state, log_probs):
    state = torch.from_numpy(state).float().unsqueeze(0)
    action_probs = policy(state)
    m = Categorical(logits=action_probs)  # SICK
    action = m.sample()
    log_probs.append(m.log_prob(action))
    return action.item()
