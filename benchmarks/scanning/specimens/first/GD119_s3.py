from torch import nn


class DCGenerator(nn.Module):
    def __init__(self, nz=100, ngf=64, nc=3):
        super().__init__()
        self.nz = nz
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 4, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 4),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 4, ngf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def weight_init(self, mean=0.0, std=0.02):  # SICK
        for m in self.main:
            if isinstance(m, nn.ConvTranspose2d):
                m.weight.data.normal_(mean, std)
            elif isinstance(m, nn.BatchNorm2d):
                m.weight.data.normal_(1.0, std)
                m.bias.data.zero_()

    def forward(self, z):
        return self.main(z.view(-1, self.nz, 1, 1))
