import torch
import torch.nn.functional as F


class Loop:
    def __init__(self, model, optimizer, hooks=()):
        self.model = model
        self.optimizer = optimizer
        self.before = optimizer.zero_grad
        self.after = [optimizer.step, *hooks]

    def run(self, loader):
        self.model.train()
        for x, y in loader:
            self.before()
            F.mse_loss(self.model(x), y).backward()
            for fn in self.after:
                fn()
        return self.model.eval()


if __name__ == "__main__":
    net = torch.nn.Linear(4, 1)
    opt = torch.optim.SGD(net.parameters(), lr=0.01)
    sched = torch.optim.lr_scheduler.ExponentialLR(opt, 0.99)
    data = [(torch.randn(8, 4), torch.randn(8, 1)) for _ in range(5)]
    is_training = Loop(net, opt, hooks=[sched.step]).run(data).training
    print(is_training, sched.get_last_lr())
