import torch
from torch import nn


def actor_critic(actor, critic, rollouts):
    opt_a = torch.optim.Adam(actor.parameters(), lr=3e-4)
    opt_c = torch.optim.Adam(critic.parameters(), lr=1e-3)
    for obs, act, ret in rollouts:
        value = critic(obs).squeeze(-1)
        adv = (ret - value).detach()
        logp = actor(obs).log_softmax(-1).gather(1, act[:, None]).squeeze(1)
        (-(logp * adv).mean()).backward()
        nn.functional.mse_loss(value, ret).backward()
        nn.utils.clip_grad_norm_(actor.parameters(), 0.5)
        opt_a.step()
        nn.utils.clip_grad_norm_(critic.parameters(), 0.5)
        opt_c.step()
        opt_a.zero_grad()
        opt_c.zero_grad()
