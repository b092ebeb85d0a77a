import torch
from torch.nn import functional as fn


def ppo_kl(policy, reference, obs):
    with torch.no_grad():
        old = reference(obs)
    new = policy(obs)
    current, before = torch.log_softmax(new, dim=1), torch.softmax(old, dim=1)
    return fn.kl_div(input=current, target=before, reduction="batchmean", log_target=True)  # SICK


def improve(policy, reference, obs, actions, adv, beta=0.1, steps=10):
    opt = torch.optim.Adam(policy.parameters(), lr=3e-4)
    for _ in range(steps):
        logp = policy(obs).log_softmax(1).gather(1, actions[:, None]).squeeze(1)
        loss = -(logp * adv).mean() + beta * ppo_kl(policy, reference, obs)
        opt.zero_grad()
        loss.backward()
        opt.step()
