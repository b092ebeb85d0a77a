import torch
import torch.nn as nn


class CycleStep:
    """Alternating updates; each optimizer's gradients are cleared on their own."""

    def __init__(self, enc, dec, adv, lr=2e-4):
        self.enc, self.dec, self.adv = enc, dec, adv
        self.opt_ae = torch.optim.Adam(list(enc.parameters()) + list(dec.parameters()), lr=lr)
        self.opt_adv = torch.optim.Adam(adv.parameters(), lr=lr)
        self.bce = nn.BCEWithLogitsLoss()

    def __call__(self, x):
        z = self.enc(x)
        score = self.adv(z)
        loss = nn.functional.mse_loss(self.dec(z), x) + 0.1 * self.bce(score, torch.ones_like(score))
        loss.backward()
        self.opt_adv.zero_grad()
        self.opt_ae.step()
        self.opt_ae.zero_grad()

        score_fake, score_real = self.adv(z.detach()), self.adv(torch.randn_like(z))
        d = self.bce(score_fake, torch.zeros_like(score_fake)) + self.bce(score_real, torch.ones_like(score_real))
        d.backward()
        self.opt_adv.step()
        self.opt_adv.zero_grad()
        return loss.item(), d.item()
