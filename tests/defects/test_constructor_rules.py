"""What the rules about constructors and methods of networks see in text."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of, scan_files

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n"


def assert_lines(rule: str, snippet: str) -> None:
    """The rule fires on the lines that are marked, and on no other."""
    text = HEAD + plain(snippet)
    assert lines_of(rule, text) == marked(text)


def built(body: str, rest: str = "return x", base: str = "nn.Module") -> str:
    """A network whose constructor and forward have these statements."""
    inner = "\n".join(f"        {line}" for line in plain(body).splitlines())
    last = "\n".join(f"        {line}" for line in plain(rest).splitlines())
    first = f"class Net({base}):\n    def __init__(self, dim, depth=2):\n{inner}\n"
    return f"{first}\n    def forward(self, x):\n{last}\n"


SUPER = {
    "none": "self.a = nn.Linear(dim, dim)  # here",
    "a plain value first": "self.dim = dim\nself.a = nn.Linear(dim, dim)  # here",
    "named only": "super().__init__  # here\nself.a = nn.Linear(dim, dim)",
    "named of two": "super(Net, self).__init__  # here\nself.a = nn.Linear(dim, dim)",
    "named, and a method called": "super().__init__  # here\nself.setup()",
    "named, and called": "super().__init__\nsuper().__init__()\nself.a = nn.Linear(dim, dim)",
    "too late": "self.a = nn.Parameter(torch.ones(dim))  # here\nsuper().__init__()",
    "a container": "self.a = nn.ModuleList()  # here",
    "no layer": "self.dim = dim  # here",
    "called": "super().__init__()\nself.a = nn.Linear(dim, dim)",
    "by name": "nn.Module.__init__(self)\nself.a = nn.Linear(dim, dim)",
    "by a method": "self.setup()\nself.a = nn.Linear(dim, dim)",
    "by a function": "setup(self)\nself.a = nn.Linear(dim, dim)",
    "in a branch": "if depth:\n    super().__init__()\nself.a = nn.Linear(dim, dim)",
    "a layer in a branch": "if depth:\n    self.a = nn.Linear(dim, dim)\nsuper().__init__()",
    "a function of nn": "self.a = nn.init.calculate_gain('relu')  # here",
}


@pytest.mark.parametrize("body", SUPER.values(), ids=SUPER)
def test_layers_before_super_init(body: str) -> None:
    """The first layer that torch refuses is reported, or the call that is none."""
    assert_lines("GD111", built(body))


def test_a_metaclass_may_set_the_module_up() -> None:
    """Whatever a metaclass does comes before the constructor."""
    assert_lines("GD111", built("self.a = nn.Linear(dim, dim)", base="nn.Module, metaclass=Meta"))


def test_a_base_of_this_file_is_followed() -> None:
    """The base's own constructor is not called by itself."""
    assert_lines(
        "GD111",
        "class Base(nn.Module):\n    pass\n\n" + built("self.a = Base()  # here", base="Base"),
    )


NEVER_SET_UP = {
    "a function kept": "self.f = f  # here",
    "layers in branches": (
        "if dim:\n    self.f = nn.Linear(dim, dim)  # here\nelse:\n    self.f = nn.Linear(9, 9)"
    ),
    "called in a branch": "self.f = f\nif dim:\n    super().__init__()",
    "handed over": "self.f = f\nregister(self)",
    "a state that is shared": "self.__dict__ = f.__dict__\nself.f = f",
    "not to be made": "self.f = f\nraise NotImplementedError",
    "nothing kept": "print(f)",
}


@pytest.mark.parametrize("body", NEVER_SET_UP.values(), ids=NEVER_SET_UP)
def test_a_module_that_nothing_sets_up(body: str) -> None:
    """With a forward, its first call fails, whatever its constructor keeps."""
    inner = "\n".join(f"        {line}" for line in body.splitlines())
    head = f"class Net(nn.Module):\n    def __init__(self, dim, f):\n{inner}\n"
    assert_lines("GD111", head + "\n    def forward(self, x):\n        return self.f(x)\n")


MISSPELT = {
    "forward": "def forwad(self, x):  # here\n    return x",
    "init": "def __init_(self, dim):  # here\n    self.a = nn.Linear(dim, dim)",
    "int": "def __int__(self, dim):  # here\n    self.a = nn.Linear(dim, dim)",
    "a number": "def __int__(self):\n    self.asked = True\n    return 3",
    "with a decorator": "@torch.no_grad()\ndef forwad(self, x):  # here\n    return x",
    "a property": "@property\ndef forwad(self, x):\n    return x",
    "nothing set": "def __init_(self, dim):\n    print(dim)",
    "nothing returned": "def forwad(self, x):\n    print(x)",
    "another word": "def _forward(self, x):\n    return x",
    "called by it": (
        "def forwad(self, x):\n    return x\ndef __call__(self, x):\n    return self.forwad(x)"
    ),
}


@pytest.mark.parametrize("methods", MISSPELT.values(), ids=MISSPELT)
def test_misspelt_methods(methods: str) -> None:
    """A slip is reported where the right method is missing and the body does its work."""
    inner = "\n".join(f"    {line}" for line in methods.splitlines())
    assert_lines("GD112", f"class Net(nn.Module):\n{inner}\n")


def test_a_right_method_beside_a_slip() -> None:
    """With the right one there, the other is a method of its own."""
    assert_lines(
        "GD112", built("super().__init__()") + "\n    def foward(self, x):\n        return x\n"
    )


HIDDEN = {
    "list": ("self.a = [nn.Linear(dim, dim) for _ in range(depth)]  # here", "self.a[0](x)"),
    "two": ("self.a = (nn.Linear(dim, dim), nn.Linear(dim, dim))  # here", "self.a[0](x)"),
    "appended": (
        "self.a = []  # here\nfor _ in range(depth):\n    self.a.append(nn.Linear(dim, dim))",
        "self.a[0](x)",
    ),
    "by key": ("self.a = {}  # here\nself.a['q'] = nn.Linear(dim, dim)", "self.a['q'](x)"),
    "a local list": (
        "a = []\nfor _ in range(depth):\n    a.append(nn.Linear(dim, dim))\nself.a = a  # here",
        "self.a[0](x)",
    ),
    "named parts": (
        "self.a = [(0, nn.Linear(dim, dim)), (1, nn.Linear(dim, dim))]  # here",
        "x + self.a[0][1](x)",
    ),
    "moved": ("self.a = nn.Parameter(torch.ones(dim)).cuda()  # here", "x * self.a"),
    "wants a gradient": ("self.a = torch.ones(dim).requires_grad_()  # here", "x * self.a"),
    "one, hidden": ("self.a = [nn.Linear(dim, dim)]", "self.a[0](x)"),
    "registered below": (
        "self.a = [nn.Linear(dim, dim) for _ in range(depth)]\nself.b = nn.ModuleList(self.a)",
        "self.a[0](x)",
    ),
    "added by name": (
        "self.a = [nn.Linear(dim, dim) for _ in range(depth)]\n"
        "for i, one in enumerate(self.a):\n    self.add_module(str(i), one)",
        "self.a[0](x)",
    ),
    "in a sequence": (
        "self.a = [nn.Linear(dim, dim) for _ in range(depth)]\nself.b = nn.Sequential(*self.a)",
        "self.a[0](x)",
    ),
    "a local list, registered": (
        "a = [nn.Linear(dim, dim) for _ in range(depth)]\nself.b = nn.ModuleList(a)\nself.a = a",
        "self.a[0](x)",
    ),
    "others' layers": (
        "self.b = nn.Linear(dim, dim)\nself.c = nn.Linear(dim, dim)\nself.a = [self.b, self.c]",
        "self.a[0](x)",
    ),
    "no weights": ("self.a = [nn.ReLU() for _ in range(depth)]", "self.a[0](x)"),
    "never used": ("self.a = [nn.Linear(dim, dim) for _ in range(depth)]", "x"),
    "frozen": (
        "self.a = [nn.Linear(dim, dim).requires_grad_(False) for _ in range(depth)]",
        "self.a[0](x)",
    ),
    "replaced": (
        "self.a = [nn.Linear(dim, dim) for _ in range(depth)]\nself.a = nn.ModuleList(self.a)",
        "self.a[0](x)",
    ),
    "meant": (
        "# not to be registered\nself.a = [nn.Linear(dim, dim) for _ in range(depth)]",
        "self.a[0](x)",
    ),
}


@pytest.mark.parametrize(("body", "result"), HIDDEN.values(), ids=HIDDEN)
def test_weights_that_torch_does_not_see(body: str, result: str) -> None:
    """Layers in plain containers and parameters that are none, where nothing registers them."""
    assert_lines("GD103", built(f"super().__init__()\n{body}", f"return {result}"))


MADE = {
    "at once": "return nn.Linear(4, 4)(x)  # here",
    "by name": "layer = nn.Conv1d(4, 4, 1).cuda()  # here\nreturn layer(x) + layer(x)",
    "moved later": "layer = nn.Linear(4, 4)  # here\nreturn layer.to(x.device)(x)",
    "in a branch": "if x.size(-1) != 4:\n    x = nn.Linear(4, 4)(x)  # here\nreturn x",
    "no weights": "return nn.GELU()(x)",
    "kept": "layer = nn.Linear(4, 4)\nself.layer = layer\nreturn layer(x)",
    "set by hand": "layer = nn.Linear(4, 4)\nlayer.weight.data = self.w\nreturn layer(x)",
    "asked for first": "if self.l is None:\n    x = nn.Linear(4, 4)(x)\nreturn x",
    "a factory": "return nn.Linear(4, 4)",
}


@pytest.mark.parametrize("body", MADE.values(), ids=MADE)
def test_layers_made_in_forward(body: str) -> None:
    """Made, called and thrown away."""
    assert_lines("GD113", built("super().__init__()", body))


REPEATED = {
    "multiplied": "self.a = nn.ModuleList([nn.Linear(dim, dim)] * depth)  # here",
    "the other way round": "self.a = nn.Sequential(*(depth * [nn.Linear(dim, dim)]))  # here",
    "by name": "one = nn.Linear(dim, dim)\nself.a = nn.ModuleList([one] * depth)  # here",
    "a local list": "a = [nn.Linear(dim, dim)] * depth  # here\nself.a = nn.ModuleList(a)",
    "a generator": "one = nn.GRU(dim, dim)\nself.a = nn.ModuleList(one for _ in range(9))  # here",
    "two loops": (
        "a = []\nfor i in range(2):\n    one = nn.Linear(dim, dim)\n"
        "    for _ in range(3):\n        a.append(one)  # here\nself.a = nn.ModuleList(a)"
    ),
    "made in the loop": (
        "a = []\nfor i in range(2):\n    one = nn.Linear(dim, dim)\n    a.append(one)\n"
        "self.a = nn.ModuleList(a)"
    ),
    "appended once": "a = []\none = nn.Linear(dim, dim)\na.append(one)\nself.a = nn.ModuleList(a)",
    "no weights": "self.a = nn.ModuleList([nn.Identity()] * depth)",
    "shared on purpose": "self.a = nn.ModuleList([nn.Linear(dim, dim)] * depth)  # shared",
    "given": "self.a = nn.ModuleList(dim for dim in depth)",
    "a plain list": "self.a = [3] * depth",
}


@pytest.mark.parametrize("body", REPEATED.values(), ids=REPEATED)
def test_one_layer_in_several_places(body: str) -> None:
    """One made layer, several times in a list."""
    assert_lines("GD114", built(f"super().__init__()\n{body}"))


CALLED = {
    "a list": ("self.a = nn.ModuleList([nn.ReLU()])", "return self.a(x)  # here"),
    "two calls": ("self.a = nn.ModuleDict()", "y = self.a(x)  # here\nreturn self.a(y)  # here"),
    "an item": ("self.a = nn.ModuleList([nn.ReLU()])", "return self.a[0](x)"),
    "a method": ("self.a = nn.ModuleList([nn.ReLU()])", "return self.a.pop(0)(x)"),
    "a sequence": ("self.a = nn.Sequential(nn.ReLU())", "return self.a(x)"),
    "one of two": (
        "self.a = nn.ModuleList([nn.ReLU()])\nif depth:\n    self.a = nn.ReLU()",
        "return self.a(x)",
    ),
}


@pytest.mark.parametrize(("body", "result"), CALLED.values(), ids=CALLED)
def test_lists_of_layers_that_are_called(body: str, result: str) -> None:
    """A container of layers cannot be called."""
    assert_lines("GD116", built(f"super().__init__()\n{body}", result))


BY_NAME = {
    "a layer": "return self.a.forward(x)  # here",
    "with words": "return self.a.forward(input=x)  # here",
    "the base": "return super().forward(x)",
    "what was given": "return self.b.forward(x)",
    "another method": "return self.a.extra_repr()",
}


@pytest.mark.parametrize("result", BY_NAME.values(), ids=BY_NAME)
def test_forward_called_by_its_name(result: str) -> None:
    """Of layers that the constructor made."""
    assert_lines(
        "GD117", built("super().__init__()\nself.a = nn.Linear(dim, dim)\nself.b = depth", result)
    )


DEVICES = {
    "made there": "return x + torch.zeros(3, device='cuda')  # here",
    "moved there": "return x.to('cuda:1')  # here",
    "by a method": "return torch.zeros(3).cuda() + x  # here",
    "the CPU": "return x + torch.zeros(3, device='cpu').to(x)",
    "taken from the input": "return x + torch.zeros(3, device=x.device)",
    "asked first": "if torch.cuda.is_available():\n    x = x.cuda()\nreturn x",
    "a type": "return x.to(torch.float32)",
    "a number": "return x.cuda(self.rank)",
}


@pytest.mark.parametrize("body", DEVICES.values(), ids=DEVICES)
def test_devices_by_name(body: str) -> None:
    """Named in a forward pass, without a look at what there is."""
    assert_lines("GD118", built("super().__init__()", body))


UNUSED = "\n    def _init_weights(self, module):  # here\n        nn.init.zeros_(module.weight)\n"


def test_weights_that_nothing_sets_up() -> None:
    """A method of that name that nothing calls; any other mention of it in code is enough."""
    text = built("super().__init__()\nself.a = nn.Linear(dim, dim)") + UNUSED
    assert_lines("GD119", text)
    assert_lines("GD119", text.replace("# here", "") + "\n\nNet(3)._init_weights(None)\n")
    assert_lines("GD119", text.replace("_init_weights", "init_weights"))
    assert_lines("GD119", text.replace("_init_weights", "reset_parameters"))
    assert_lines("GD119", text + "\n# net.apply(net._init_weights)\n")
    assert_lines("GD119", text.replace("    def _init", "    @torch.no_grad()\n    def _init"))
    assert_lines(
        "GD119", text.replace("# here", "").replace("    def _init", "    @hook\n    def _init")
    )
    assert_lines("GD119", text.replace("# here", "").replace("nn.Module", "Unknown"))
    base = "class Base(nn.Module):\n    pass\n\n\n"
    assert_lines("GD119", base + text.replace("nn.Module", "Base"))


NAMED_ONLY = """
class Net(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.a = nn.Linear(dim, dim)
        self.init_weights  # here

    def init_weights(self):
        nn.init.zeros_(self.a.weight)

    def forward(self, x):
        return self.a(x)
"""


def test_a_method_that_is_named_and_not_called() -> None:
    """The statement without parentheses is the place."""
    assert_lines("GD119", NAMED_ONLY)
    called = NAMED_ONLY.replace("init_weights  # here", "init_weights()")
    assert_lines("GD119", called)


FREE = """
def init_weights(module):  # here
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.weight)


class Net(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.a = nn.Linear(dim, dim)

    def forward(self, x):
        return self.a(x)
"""


def test_a_function_that_sets_weights_up_and_is_never_applied() -> None:
    """One that the file applies is used; so may be one without a network beside it."""
    assert_lines("GD119", FREE)
    assert_lines("GD119", FREE.replace("  # here", "") + "\nnet = Net(3).apply(init_weights)\n")
    assert_lines("GD119", FREE.replace("  # here", "").replace("nn.Module", "object"))


def test_a_public_method_that_another_file_calls() -> None:
    """What other files say counts; a package's users need not be in sight."""
    text = (
        HEAD
        + plain(built("super().__init__()\nself.a = nn.Linear(dim, dim)"))
        + UNUSED.replace("_init", "init")
    )
    train = "from model import Net\n\nNet(3).init_weights()\n"
    assert "GD119" in [
        rule for rule, _ in scan_files({"model.py": text, "train.py": "import model\n"})
    ]
    assert "GD119" not in [rule for rule, _ in scan_files({"model.py": text, "train.py": train})]
    packed = {"nets/__init__.py": "", "nets/model.py": text}
    assert "GD119" not in [rule for rule, _ in scan_files(packed)]


BY_NAME_IN_LISTS = {
    "in a loop": "for one in self.all:\n    x = one.forward(x)  # here\nreturn x",
    "by an index": "return self.all[0].forward(x)  # here",
    "in a comprehension": "return sum(one.forward(x) for one in self.all)  # here",
    "of a pair": "for one, other in zip(self.all, self.all):\n    x = one.forward(x)  # here",
    "by a name": "one = self.all[1]\nreturn one.forward(x)  # here",
    "in a dictionary": "return [one.forward(x) for one in self.named.values()]  # here",
    "of both": "one = self.all[0] if self.training else self.all[1]\nreturn one.forward(x)  # here",
    "of what is given": "for one in self.given:\n    x = one.forward(x)\nreturn x",
    "or of what is given": "one = self.all[0] if x else self.given\nreturn one.forward(x)",
}


@pytest.mark.parametrize("result", BY_NAME_IN_LISTS.values(), ids=BY_NAME_IN_LISTS)
def test_forward_of_layers_in_lists(result: str) -> None:
    """Items, names of loops and aliases are followed to what made them."""
    body = (
        "super().__init__()\nself.given = depth\n"
        "self.all = nn.ModuleList([nn.Linear(dim, dim) for _ in range(3)])\n"
        "self.named = nn.ModuleDict({'a': nn.Linear(dim, dim)})"
    )
    assert_lines("GD117", built(body, result))


def test_forward_of_a_model_that_a_function_makes() -> None:
    """And not of one that it is given, nor of one that TorchScript calls by its interface."""
    text = FREE.replace("  # here", "") + plain(
        """
        def train(other, x):
            net = Net(3)
            net.apply(init_weights)
            return net.forward(x) + other.forward(x)  # here
        """
    )
    assert_lines("GD117", text)
    assert_lines("GD117", text.replace("  # here", "") + "\nmark = torch.jit.interface\n")


LISTS_CALLED = {
    "made by a method": ("self.a = self.pile()", "return self.a(x)  # here"),
    "made by a function": ("self.a = pile(dim)", "return self.a(x)  # here"),
    "a slice": ("self.a = nn.ModuleList([nn.ReLU()])", "return self.a[:1](x)  # here"),
    "a name": ("self.a = nn.ModuleList([nn.ReLU()])", "a = self.a\nreturn a(x)  # here"),
    "lists in a list": (
        "self.a = nn.ModuleList()\nself.a.append(nn.ModuleList([nn.ReLU(), nn.ReLU()]))",
        "for a in self.a:\n    x = a(x)  # here\nreturn x",
    ),
    "a class of its own": ("self.a = Pile([nn.ReLU()])", "return self.a(x)  # here"),
    "one with a forward": ("self.a = Run([nn.ReLU()])", "return self.a(x)"),
    "taken apart": (
        "self.a = nn.ModuleList()\nself.a.append(nn.ModuleList([nn.ReLU(), nn.ReLU()]))",
        "for a, b in self.a:\n    x = b(a(x))\nreturn x",
    ),
    "taken apart later": (
        "self.a = nn.ModuleList([nn.ModuleList([nn.ReLU(), nn.ReLU()])])",
        "for i, one in enumerate(self.a):\n    a, b = one\n    x = b(a(x)) + one[0](x)\nreturn x",
    ),
    "a slice that is gone through": (
        "self.a = nn.ModuleList([nn.ReLU()])",
        "for a in self.a[:1]:\n    x = a(x)\nreturn x",
    ),
    "one of two helpers": ("self.a = pile(dim) if depth else nn.ReLU()", "return self.a(x)"),
}
PILES = """
def pile(dim):
    return nn.ModuleList([nn.Linear(dim, dim)])


class Pile(nn.ModuleList):
    pass


class Run(nn.ModuleList):
    def forward(self, x):
        return x


"""


@pytest.mark.parametrize(("body", "result"), LISTS_CALLED.values(), ids=LISTS_CALLED)
def test_lists_that_are_called_by_other_ways(body: str, result: str) -> None:
    """A container is one by whatever name it is made and called."""
    more = "\n    def pile(self):\n        return nn.ModuleList([nn.ReLU()])\n"
    assert_lines("GD116", PILES.lstrip() + built(f"super().__init__()\n{body}", result) + more)


MADE_ANEW = {
    "in a sequence": "return nn.Sequential(nn.Linear(3, 3), nn.ReLU())(x)  # here",
    "in its attribute": "self.a = nn.Linear(3, 3)  # here\nreturn self.a(x)",
    "of a class": "return Own(3)(x)  # here",
    "two at once": "a, b = nn.Linear(3, 3), nn.ReLU()  # here\nreturn b(a(x))",
    "by a function": "return mix(x)",
    "in its attribute once": "if not self.a:\n    self.a = nn.Linear(3, 3)\nreturn self.a(x)",
    "for another call": "self.a = nn.Linear(3, 3)\nreturn x",
    "set by hand": "a = nn.Linear(3, 3)\na.weight.data = x\nreturn a(x)",
    "of a class without weights": "return Bare()(x)",
    "handed on": "return run(nn.Sequential(nn.Linear(3, 3)), x)",
    "a list of them": (
        "a = [nn.Linear(3, 3) for _ in x]  # here\nreturn sum(b(y) for b, y in zip(a, x))"
    ),
    "a module list": (
        "a = nn.ModuleList([nn.Linear(3, 3), nn.ReLU()])  # here\n"
        "for b in a:\n    x = b(x)\nreturn x"
    ),
    "moved in between": "a = nn.GRU(3, 3)  # here\nif x.is_cuda:\n    a = a.cuda()\nreturn a(x)",
    "a list that is handed on": "a = [nn.Linear(3, 3) for _ in x]\nreturn run(a, x)",
    "a list that is set by hand": (
        "a = [nn.Linear(3, 3) for _ in x]\nfor b in a:\n    b.weight.data = x\n    x = b(x)"
    ),
}
MAKERS = """
def mix(x):
    layer = nn.Linear(x.size(-1), 3)  # there
    return layer(x)


def build(dim):
    layer = nn.Linear(dim, 3)
    return layer


class Own(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.a = nn.Linear(dim, dim)

    def forward(self, x):
        return self.a(x)


class Bare(nn.Module):
    def forward(self, x):
        return x


"""


@pytest.mark.parametrize("result", MADE_ANEW.values(), ids=MADE_ANEW)
def test_layers_made_at_each_call(result: str) -> None:
    """In whatever they are wrapped; a function counts where a forward calls it."""
    makers = MAKERS.replace("# there", "# here" if "mix" in result else "")
    assert_lines("GD113", makers.lstrip() + built("super().__init__()\nself.a = None", result))


AGAIN = {
    "repeated": "self.a = nn.ModuleList(itertools.repeat(nn.Linear(dim, dim), 3))  # here",
    "several in a list": "self.a = nn.Sequential(*[nn.Linear(dim, dim), nn.ReLU()] * 3)  # here",
    "named twice": "a = nn.Linear(dim, dim)\nself.a = nn.Sequential(a, nn.ReLU(), a)  # here",
    "an attribute": "self.b = nn.GRU(dim, 3)\nself.a = nn.ModuleList([self.b for _ in x])  # here",
    "by a helper": "self.a = clones(nn.Linear(dim, dim), 3)",
    "weightless by a helper": "self.a = clones(nn.ReLU(), 3)",
    "weightless twice": "a = nn.ReLU()\nself.a = nn.Sequential(a, nn.Linear(dim, dim), a)",
    "in a dictionary": (
        "a = nn.Linear(dim, dim)\nself.a = nn.ModuleDict({n: a for n in 'ab'})  # here"
    ),
    "each its own": "self.a = nn.ModuleDict({n: nn.Linear(dim, dim) for n in 'ab'})",
    "two": "a, b = nn.Linear(dim, dim), nn.Linear(dim, dim)\nself.a = nn.Sequential(a, b)",
    "classes": "self.a = make(nn.Linear, dim, 3)",
}
HELPERS = """
import itertools


def clones(module, n):
    return nn.ModuleList([module for _ in range(n)])  # there


def make(module, dim, n):
    return nn.ModuleList([module(dim, dim) for _ in range(n)])


"""


@pytest.mark.parametrize("body", AGAIN.values(), ids=AGAIN)
def test_one_layer_in_other_lists(body: str) -> None:
    """What helpers are given is followed to their callers."""
    helpers = HELPERS.replace("# there", "# here" if "clones(nn.Linear" in body else "")
    assert_lines("GD114", helpers.lstrip() + built(f"super().__init__()\n{body}"))


PLACES_TOLD = {
    "a name": "device = 'cuda'  # here\nreturn x + torch.zeros(3, device=device)",
    "an object": "d = torch.device('cuda', 0)  # here\nreturn x.to(d) + torch.ones(3, device=d)",
    "keywords": "more = {'device': 'cuda:0'}  # here\nreturn x + torch.zeros(3, **more)",
    "keywords by dict": "more = dict(device='mps')  # here\nreturn x + torch.zeros(3, **more)",
    "a constant": "return x + torch.zeros(3, device=PLACE)  # here",
    "an attribute": "return x + torch.zeros(3, device=self.place)  # here",
    "a type": "return x + torch.cuda.FloatTensor(3)  # here",
    "a number": "return x.cuda(0)  # here",
    "a constant that asks": "return x + torch.zeros(3, device=ASKED)",
    "a constant for the CPU": "return torch.zeros(3, device=HOST).to(x)",
    "an attribute from outside": "return x + torch.zeros(3, device=self.given)",
    "keywords of the input": "more = {'device': x.device}\nreturn x + torch.zeros(3, **more)",
    "a type for the CPU": "return x + torch.FloatTensor(3).to(x)",
}
NAMED_PLACES = """
PLACE, HOST = "", "cpu"
PLACE = torch.device("cuda")
ASKED = "cuda" if torch.cuda.is_available() else "cpu"


"""


@pytest.mark.parametrize("body", PLACES_TOLD.values(), ids=PLACES_TOLD)
def test_devices_by_other_names(body: str) -> None:
    """A name is told once, where it is given the device in the same function."""
    made = "super().__init__()\nself.place = 'cuda'\nself.given = depth"
    assert_lines("GD118", NAMED_PLACES.lstrip() + built(made, body))


NESTED = """
class Net(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.a = nn.Linear(dim, dim)

        def forward(self, x):  # here
            return self.a(x)
"""


def test_a_forward_that_is_indented_too_far() -> None:
    """And not one that is put where it belongs, or beside the right one."""
    assert_lines("GD112", NESTED)
    quiet = NESTED.replace("  # here", "")
    assert_lines("GD112", quiet + "\n        self.forward = forward.__get__(self)\n")
    assert_lines("GD112", quiet + "\n    def forward(self, x):\n        return x\n")
    assert_lines("GD112", quiet.replace("nn.Module", "object"))


UNSEEN = """
class Scale:  # here
    def __init__(self, dim):
        self.a = nn.Linear(dim, dim)

    def __call__(self, x):
        return self.a(x)


class Net(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.scale = Scale(dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        return self.out(self.scale(x))
"""
SEEN = {
    "a module": ("class Scale:", "class Scale(nn.Module):"),
    "kept apart": ("return self.a(x)", "with torch.no_grad():\n            return self.a(x)"),
    "a teacher": ("self.scale", "self.teacher"),
    "made known": (
        "        self.out =",
        "        self.known = nn.ModuleList([self.scale.a])\n        self.out =",
    ),
    "held by none": ("self.scale = Scale(dim)", "self.scale = nn.Identity()"),
    "without layers": ("self.a = nn.Linear(dim, dim)", "self.a = torch.relu"),
    "a trainer": ("__call__", "fit"),
}


def test_layers_of_a_class_that_is_no_module() -> None:
    """In an attribute, or in a list of them."""
    assert_lines("GD103", UNSEEN)
    assert_lines("GD103", UNSEEN.replace("= Scale(dim)", "= nn.ParameterList([Scale(dim)])"))


@pytest.mark.parametrize("change", SEEN.values(), ids=SEEN)
def test_classes_whose_layers_are_seen_or_no_part_of_the_network(change: tuple[str, str]) -> None:
    """By what the class is, or by who holds it."""
    text = UNSEEN.replace("  # here", "").replace(*change)
    assert text != UNSEEN
    assert_lines("GD103", text)


LISTED = {
    "by a method": ("self.a = self.pile(dim)  # here", "a(x) for a in self.a"),
    "by a function": ("self.a = pile(dim)  # here", "a(x) for a in self.a"),
    "grown": ("self.a = []  # here\nself.a += [nn.Linear(dim, dim)]", "a(x) for a in self.a"),
    "grown by many": (
        "self.a = []  # here\nself.a.extend(nn.Linear(dim, dim) for _ in range(3))",
        "a(x) for a in self.a",
    ),
    "by map": (
        "self.a = list(map(lambda n: nn.Linear(n, n), (dim, dim)))  # here",
        "a(x) for a in self.a",
    ),
    "known": ("self.a = pile(dim)\nself.b = nn.ModuleList(self.a)", "a(x) for a in self.a"),
    "wrapped": ("self.a = nn.ModuleList(pile(dim))", "a(x) for a in self.a"),
    "no layers": ("self.a = sizes(dim)", "x + a for a in self.a"),
    "never used": ("self.a = pile(dim)", "x for _ in range(2)"),
}
LISTERS = """
def pile(dim):
    layers = []
    for _ in range(3):
        layers.append(nn.Linear(dim, dim))
    return layers


def sizes(dim):
    return [dim, dim]


"""


@pytest.mark.parametrize(("body", "result"), LISTED.values(), ids=LISTED)
def test_lists_of_layers_that_helpers_make_or_that_grow(body: str, result: str) -> None:
    """Torch sees none of the layers in them."""
    method = "\n    def pile(self, dim):\n        return [nn.Linear(dim, dim) for _ in range(3)]\n"
    text = built(f"super().__init__()\n{body}", f"return sum({result})") + method
    assert_lines("GD103", LISTERS.lstrip() + text)
