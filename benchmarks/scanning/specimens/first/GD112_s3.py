import torch
from torch import nn


class PolicyNetwork(nn.Module):

    def __int__(self, state_dim=4, action_dim=2):  # SICK
        super(PolicyNetwork, self).__init__()
        self.affine = nn.Linear(state_dim, 128)
        self.action_head = nn.Linear(128, action_dim)

    def forward(self, state):
        h = torch.relu(self.affine(state))
        return torch.distributions.Categorical(logits=self.action_head(h))


def reinforce_loss(policy, states, actions, returns):
    dist = policy(states)
    advantage = (returns - returns.mean()) / (returns.std() + 1e-8)
    return -(dist.log_prob(actions) * advantage).mean()


if __name__ == "__main__":
    agent = PolicyNetwork()
    obs, act, ret = torch.randn(8, 4), torch.randint(2, (8,)), torch.randn(8)
    print(reinforce_loss(agent, obs, act, ret).item())
