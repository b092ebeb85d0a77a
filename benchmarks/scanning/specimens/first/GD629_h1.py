import torch
from torch import nn


def resume(path, net: nn.Module, opt):
    """The file holds tensors, numbers and plain dictionaries."""
    options = {"map_location": "cpu", "mmap": True, "weights_only": True}
    saved = torch.load(path, **options)
    net.load_state_dict(saved["net"])
    opt.load_state_dict(saved["opt"])
    return saved["step"]


def store(path, net, opt, step):
    torch.save(dict(net=net.state_dict(), opt=opt.state_dict(), step=step), path)
