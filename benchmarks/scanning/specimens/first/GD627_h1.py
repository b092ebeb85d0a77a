import torch
import torch.nn.functional as F


def dqn(q, target_q, replay, gamma=0.99):
    opt = torch.optim.Adam(q.parameters(), lr=1e-4)
    for s, a, r, s2, done in replay:
        with torch.no_grad():
            best = target_q(s2).max(dim=1).values
            goal = r + gamma * best * (1 - done)
        value = q(s).gather(1, a.unsqueeze(1)).squeeze(1)
        loss = F.smooth_l1_loss(value, goal)
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            for t, p in zip(target_q.parameters(), q.parameters()):
                t.lerp_(p, 0.005)
