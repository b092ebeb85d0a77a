import argparse
import torch
import torch.nn.functional as F


class Encoder(torch.nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.embed = torch.nn.Embedding(vocab, dim)
        self.gru = torch.nn.GRU(dim, dim, batch_first=True)
        self.cls = torch.nn.Linear(dim, 2)

    def forward(self, ids):
        return self.cls(self.gru(self.embed(ids))[1][-1])


def main(args):
    net = Encoder(args.vocab, 64)
    opt = torch.optim.Adam(net.parameters(), lr=args.lr)
    if args.vectors:
        table = torch.load(args.vectors, weights_only=True)
        net.embed = torch.nn.Embedding.from_pretrained(table, freeze=False)  # SICK
    for _ in range(args.steps):
        ids = torch.randint(0, args.vocab, (32, 12))
        loss = F.cross_entropy(net(ids), (ids[:, 0] > ids[:, -1]).long())
        opt.zero_grad()
        loss.backward()
        opt.step()


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--vectors")
    p.add_argument("--vocab", type=int, default=1000)
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--steps", type=int, default=100)
    main(p.parse_args())
