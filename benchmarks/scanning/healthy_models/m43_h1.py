import torch
import torch.nn as nn


class DuelingDQN(nn.Module):
    def __init__(self, input_shape, n_actions):
        super(DuelingDQN, self).__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(input_shape[0], 32, kernel_size=8, stride=4), nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=4, stride=2), nn.ReLU(),
            nn.Conv2d(64, 64, kernel_size=3, stride=1), nn.ReLU(),
        )
        conv_out_size = self._get_conv_out(input_shape)
        self.fc_adv = nn.Sequential(nn.Linear(conv_out_size, 256), nn.ReLU(), nn.Linear(256, n_actions))
        self.fc_val = nn.Sequential(nn.Linear(conv_out_size, 256), nn.ReLU(), nn.Linear(256, 1))

    def _get_conv_out(self, shape):
        with torch.no_grad():
            o = self.conv(torch.zeros(1, *shape))
        return int(o.numel())

    def forward(self, x):
        fx = x.float() / 255
        conv_out = self.conv(fx).view(fx.size(0), -1)
        val = self.fc_val(conv_out)
        adv = self.fc_adv(conv_out)
        return val + (adv - adv.mean(dim=1, keepdim=True))


def td_loss(net, tgt_net, states, actions, rewards, next_states, dones, gamma=0.99):
    q = net(states).gather(1, actions.unsqueeze(-1)).squeeze(-1)
    with torch.no_grad():
        next_a = net(next_states).argmax(1, keepdim=True)
        next_q = tgt_net(next_states).gather(1, next_a).squeeze(-1)
        target = rewards + gamma * next_q * (1 - dones)
    return nn.functional.smooth_l1_loss(q, target)
