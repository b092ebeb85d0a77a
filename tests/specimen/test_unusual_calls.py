"""Calls that a signature does not tell: masks, batches in one value, calls before the first."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.specimen.making import build, specimen

HEAD = """\
class Model(nn.Module):
    def __init__(self, vocab_size=5000, dim=256):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.out = nn.Linear(dim, vocab_size)
"""
# The mean of all positions that a mask [T, T] or [B, 1, T, T] lets each one see.
SEEN = """
    def seen(self, ids, chosen):
        weights = chosen.float().reshape(-1, ids.shape[1], ids.shape[1])
        return self.out((weights / weights.sum(-1, keepdim=True)) @ self.e(ids))
"""
MASKS = {
    "chosen-by": "    def forward(self, ids, attn_mask):\n        assert attn_mask.dim() == 2\n"
    "        return self.seen(ids, attn_mask.bool())\n",
    "hidden-by": "    def forward(self, ids, attn_mask):\n"
    "        return self.seen(ids, ~attn_mask[:, :])\n",
    "added": "    def forward(self, ids, mask):\n        assert mask.dtype == torch.float\n"
    "        return self.seen(ids, mask.exp())\n",
    "four-dimensional": "    def forward(self, ids, mask):\n        b, one, t, s = mask.shape\n"
    "        return self.seen(ids, mask != 0)\n",
    "ignores-padding": "    def forward(self, ids, key_padding_mask):\n"
    "        assert not key_padding_mask.all(), 'nothing is left'\n"
    "        x = self.e(ids).masked_fill(key_padding_mask[:, :, None], 0.0)\n"
    "        return self.out(x.cumsum(1))\n",
}


@pytest.mark.parametrize("style", MASKS)
def test_a_mask_is_given_in_the_form_that_hides_the_future(tmp_path: Path, style: str) -> None:
    """The opposite of a mask runs as well; what is chosen leaves the model causal."""
    made = specimen(tmp_path, HEAD + SEEN + MASKS[style])
    assert (made.construction.batch, made.construction.length) == (3, 7)
    model, inputs = made.copy(), made.inputs()
    before = made.call(model, inputs).logits
    inputs["ids"] = inputs["ids"].clone()
    inputs["ids"][:, -1] = inputs["ids"][:, -1] % 96 + 1
    after = made.call(model, inputs).logits
    assert before is not None
    assert after is not None
    assert before.isfinite().all()
    assert torch.equal(before[:, :-1], after[:, :-1])


BATCHES = {
    "mapping": (
        "batch['input_ids']",
        "batch.get('labels')",
        "model(batch={'input_ids': torch.randint(97, (3, 7))})",
    ),
    "object": (
        "batch.tokens",
        "getattr(batch, 'labels', None)",
        "model(batch=SimpleNamespace(tokens=torch.randint(97, (3, 7))))",
    ),
}


@pytest.mark.parametrize("how", BATCHES)
def test_one_value_may_hold_all_inputs(tmp_path: Path, how: str) -> None:
    """What is taken out of it is read from the text; its labels give the model's own loss."""
    ids, labels, call = BATCHES[how]
    made = specimen(
        tmp_path,
        f"{HEAD}\n    def forward(self, batch):\n        logits = self.out(self.e({ids}))\n"
        f"        labels = {labels}\n        if labels is None:\n            return logits\n"
        "        return logits, F.cross_entropy(logits.flatten(0, 1), labels.flatten())\n",
    )
    assert made.construction.call == call
    assert made.objective == "own loss"
    assert made.loss(made.copy(), made.inputs()).requires_grad


PREPARED = {
    "setup_caches": "        if not hasattr(self, 'cache'): raise RuntimeError('caches first')\n"
    "        assert len(ids) <= self.cache.shape[0] and ids.shape[1] <= self.cache.shape[1]\n"
    "        return self.out(self.e(ids))\n\n"
    "    def setup_caches(self, max_batch_size, max_seq_length, dtype=None):\n"
    "        self.cache = torch.zeros(max_batch_size, max_seq_length, dtype=dtype)\n",
    "init_weights": "        assert self.ready\n        return self.out(self.e(ids))\n\n"
    "    ready = False\n\n    def init_weights(self):\n        self.ready = True\n",
}


@pytest.mark.parametrize("method", PREPARED)
def test_a_model_is_made_ready_by_a_call_of_its_own(tmp_path: Path, method: str) -> None:
    """The call is part of the code that builds it, and that code builds it again."""
    text = HEAD + "\n    def forward(self, ids):\n" + PREPARED[method]
    made = specimen(tmp_path, text)
    assert f"model.{method}(" in made.construction.build
    again, _ = build(tmp_path, text, build=made.construction.build)
    assert again.outcome == "built", again.tried


@pytest.mark.parametrize(
    ("attribute", "objective"),
    [("loss", "own loss"), ("last_loss", "own loss"), ("aux_loss", "shifted cross-entropy")],
)
def test_a_loss_may_stay_behind_on_the_model(
    tmp_path: Path, attribute: str, objective: str
) -> None:
    """Under a name of the whole loss; that of a part is none to train with."""
    made = specimen(
        tmp_path,
        f"{HEAD}\n    def forward(self, ids, targets=None):\n"
        "        logits = self.out(self.e(ids))\n        if targets is not None:\n"
        f"            self.{attribute} = "
        "F.cross_entropy(logits.flatten(0, 1), targets.flatten())\n        return logits\n",
    )
    assert made.objective == objective


def test_a_picture_has_its_place_in_the_text(tmp_path: Path) -> None:
    """The token that stands for it begins each row, and is nowhere else."""
    made = specimen(
        tmp_path,
        "IMAGE_TOKEN_ID = 7\n\n" + HEAD + "        self.eye = nn.Conv2d(3, dim, 4, stride=4)\n\n"
        "    def forward(self, ids, pixel_values):\n"
        "        seen = self.eye(pixel_values).flatten(2).mT.flatten(0, 1)\n"
        "        here = ids == IMAGE_TOKEN_ID\n"
        "        if int(here.sum()) != len(seen): raise ValueError('a token for each patch')\n"
        "        return self.out(self.e(ids).masked_scatter(here[:, :, None], seen).cumsum(1))\n",
    )
    ids = made.inputs()["ids"]
    assert (ids[:, 0] == 7).all()
    assert not (ids[:, 1:] == 7).any()
    model = made.copy()
    ids = eval(made.construction.call[len("model(ids=") :].rpartition(", pixel_values")[0])
    assert made.call(model, {**made.inputs(), "ids": ids}).logits is not None


def test_a_mask_that_cannot_be_left_out_is_given(tmp_path: Path) -> None:
    """Though its default says that it may be."""
    text = MASKS["ignores-padding"].replace("key_padding_mask)", "key_padding_mask=None)", 1)
    made = specimen(tmp_path, HEAD + text)
    assert "key_padding_mask=torch" in made.construction.call


def test_what_only_an_uncalled_method_sets_is_not_held_against_the_model(tmp_path: Path) -> None:
    """Somebody else was to call it: a trainer, a script."""
    body = "        return self.out(self.e(ids) + self.shift)\n"
    forward = f"\n    def forward(self, ids):\n{body}"
    sets = "\n    def on_start(self, shift):\n        self.shift = shift\n"
    construction, _ = build(tmp_path, HEAD + sets + forward)
    assert (construction.outcome, construction.crash) == ("not-built", None)
    construction, _ = build(tmp_path, HEAD + forward)
    assert construction.outcome == "crashed"


def test_a_text_may_be_called_data(tmp_path: Path) -> None:
    """Nothing is taken out of it: it is the ids, and `data.shape` is asked of a tensor."""
    forward = "    def forward(self, data, mems=None):\n        b, t = data.shape\n"
    made = specimen(
        tmp_path, f"{HEAD}{forward}        return self.out(self.e(data)).view(b, t, -1)\n"
    )
    assert made.construction.call == "model(data=torch.randint(97, (3, 7)))"


@pytest.mark.parametrize("call", [None, "model(ids=ids)"])
def test_ids_that_no_logits_name_are_not_given(tmp_path: Path, call: str | None) -> None:
    """An embedding with a row for a mask: the mask is no word of a text, nor a label."""
    head = HEAD.replace("nn.Embedding(vocab_size, dim)", "nn.Embedding(vocab_size + 1, dim)")
    forward = "    def forward(self, ids):\n        return self.out(self.e(ids))\n"
    made = specimen(tmp_path, head + forward, call=call)
    assert made.construction.vocabulary == 97
    assert made.construction.call == "model(ids=torch.randint(97, (3, 7)))"
    assert made.construction.expression == "model(ids=ids)"
    assert max(int(made.make_inputs(3, 300, seed)["ids"].max()) for seed in range(3)) == 96
