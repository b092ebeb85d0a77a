"""Entries of many styles, and the inputs they are called with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gptdoctor.specimen.forms import Form, distinct_ids
from tests.specimen.making import build, specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, n_embd=768, image_dim=512, audio_dim=80):
        super().__init__()
        self.e = nn.Embedding(vocab_size, n_embd)
        self.image = nn.Linear(image_dim, n_embd)
        self.audio = nn.Linear(audio_dim, n_embd)
        self.conv = nn.Conv2d(3, n_embd, 4, 4)
        self.wave = nn.Conv1d(20, n_embd, 3, padding=1)
        self.mix = nn.LSTM(n_embd, n_embd, batch_first=True)
        self.columns = nn.LSTM(n_embd, n_embd)
        self.out = nn.Linear(n_embd, vocab_size)

    def run(self, x):
        return self.out(self.mix(x)[0])

"""
FORMS = {
    "plain": ("def forward(self, idx):\n return self.run(self.e(idx))", "idx"),
    "ids-second": ("def forward(self, flag=False, *, x):\n return self.run(self.e(x))", "x"),
    "pooled-image": (
        "def forward(self, image=None, ids=None):\n x = self.e(ids)\n"
        " return self.run(x if image is None else x + self.image(image).mean(1, keepdim=True))",
        "image ids",
    ),
    "flat-image": (
        "def forward(self, ids, img=None):\n x = self.e(ids)\n"
        " return self.run(x if img is None else x + self.image(img).view(len(ids), 1, -1))",
        "ids img",
    ),
    "sum-of-equal-lengths": (
        "def forward(self, ids, audio=None):\n x = self.e(ids)\n"
        " return self.run(x if audio is None else x.add_(self.audio(audio)).view_as(x))",
        "ids audio",
    ),
    "image-before-text": (
        "def forward(self, ids, vision_feats=None):\n x = self.e(ids)\n"
        " if vision_feats is not None: x = torch.cat([self.image(vision_feats), x], 1)\n"
        " return self.run(x)",
        "ids vision_feats",
    ),
    "pixels": (
        "def forward(self, ids, pixel_values=None):\n x = self.e(ids)\n"
        " if pixel_values is None: return self.run(x)\n"
        " return self.run(x + self.conv(pixel_values).flatten(2).mean(-1)[:, None])",
        "ids pixel_values",
    ),
    "spectrogram": (
        "def forward(self, ids, mel=None):\n x = self.e(ids)\n"
        " return self.run(x if mel is None else x + self.wave(mel).mean(-1)[:, None])",
        "ids mel",
    ),
    "required-image": (
        "def forward(self, image, ids):\n"
        " return self.run(self.e(ids) + self.image(image.mean(1))[:, None])",
        "image ids",
    ),
    "two-required": (
        "def forward(self, audio, image, ids):\n"
        " return self.run(self.e(ids) + self.image(image)[:, None] + self.audio(audio)[:, None])",
        "audio image ids",
    ),
    "tensor-of-an-unknown-name": (
        "def forward(self, ids, extra: torch.Tensor | None = None):\n x = self.e(ids)\n"
        " return self.run(x if extra is None else x + self.image(extra).mean(1, keepdim=True))",
        "ids extra",
    ),
    "memory-is-left-out": (
        "def forward(self, ids, memory: torch.Tensor | None = None):\n"
        " assert memory is None\n return self.run(self.e(ids))",
        "ids",
    ),
    "required-mask": (
        "def forward(self, ids, attention_mask):\n assert attention_mask.shape == ids.shape\n"
        " return self.run(self.e(ids) * attention_mask[..., None])",
        "ids attention_mask",
    ),
    "required-positions": (
        "def forward(self, ids, position_ids):\n"
        " return self.run(self.e(ids) + self.e(position_ids))",
        "ids position_ids",
    ),
    "start-position": (
        "def forward(self, ids, start_pos: int):\n return self.run(self.e(ids + start_pos))",
        "ids start_pos",
    ),
    "encoder-decoder": (
        "def forward(self, src, tgt):\n"
        " return self.run(self.e(tgt) + self.e(src).mean(1, keepdim=True))",
        "src tgt",
    ),
    "optional-encoder-decoder": (
        "def forward(self, input_ids=None, decoder_input_ids=None):\n"
        " return self.run(self.e(decoder_input_ids) + self.e(input_ids).mean(1, keepdim=True))",
        "input_ids decoder_input_ids",
    ),
    "spread": ("def forward(self, *inputs):\n return self.run(self.e(inputs[0]))", "inputs"),
}


def indented(text: str) -> str:
    """A method's text, inside its class."""
    return "\n".join(f"    {line}" for line in text.replace("\n ", "\n    ").splitlines())


@pytest.mark.parametrize("form", FORMS)
def test_an_entry_is_called_with_all_that_works(tmp_path: Path, form: str) -> None:
    """Ids alone first, then every picture, sound and feature in the form that its weight tells."""
    text, names = FORMS[form]
    made = specimen(tmp_path, HEAD + indented(text))
    assert [fact.name for fact in made.construction.inputs] == names.split()
    assert (made.construction.batch, made.construction.length) == (3, 7)
    logits = made.call(made.copy(), made.make_inputs(2, 11, 5)).logits
    assert logits is not None
    assert logits.shape == (2, 11, 97)


def test_optional_inputs_are_told_with_the_shape_in_which_they_are_given(tmp_path: Path) -> None:
    """What is accepted and what is given are two things."""
    text = (
        "def forward(self, ids, image=None, attention_mask=None):\n x = self.e(ids)\n"
        " return self.run(x if image is None else x + self.image(image).mean(1, keepdim=True))"
    )
    made = specimen(tmp_path, HEAD + indented(text))
    told = {fact.name: (fact.kind, fact.shape) for fact in made.construction.optional_inputs}
    assert told == {"image": ("image", (3, 5, 37)), "attention_mask": ("mask", ())}


def test_the_call_is_code_that_runs(tmp_path: Path) -> None:
    """Pasted behind `model = ...` it gives the same shape."""
    made = specimen(tmp_path, HEAD + indented(FORMS["required-positions"][0]))
    result = eval(made.construction.call, {"torch": torch, "model": made.copy()})
    assert result.shape == (3, 7, 97)


def test_an_entry_of_another_name_is_called_by_it(tmp_path: Path) -> None:
    """Not every model has a forward."""
    text = (
        HEAD + "    def forward_step(self, input_ids, memory=None):\n"
        "        return self.run(self.e(input_ids)), memory\n"
    )
    made = specimen(tmp_path, text, entry="forward_step")
    assert made.construction.call.startswith("model.forward_step(input_ids=")
    assert made.construction.returns == "tuple with logits"


def test_a_model_that_wants_time_first_is_turned(tmp_path: Path) -> None:
    """[T, B] order, or the model would look blind to its context."""
    text = (
        HEAD
        + "    def forward(self, src):\n        return self.out(self.columns(self.e(src))[0])\n"
    )
    made = specimen(tmp_path, text)
    assert made.construction.inputs[0].shape == (7, 3)
    inputs = made.make_inputs(2, 11, 0)
    assert inputs["src"].shape == (11, 2)
    logits = made.call(made.copy(), inputs).logits
    assert logits is not None
    assert logits.shape == (2, 11, 97)


def test_one_token_for_each_row_is_enough_for_a_stepwise_model(tmp_path: Path) -> None:
    """Ids [B] where [B, T] does not run."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=64):
        super().__init__()
        self.e, self.cell = nn.Embedding(vocab_size, dim), nn.GRUCell(dim, dim)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, token, state=None):
        state = self.cell(self.e(token), state)
        return self.out(state), state
"""
    made = specimen(tmp_path, text)
    assert made.make_inputs(5, 1, 0)["token"].shape == (5,)
    assert made.loss(made.copy(), made.inputs()).isfinite()


def test_the_vocabulary_is_learned_from_the_embedding(tmp_path: Path) -> None:
    """A number that is written into the class is no parameter that could be chosen."""
    text = HEAD.replace("self.e = nn.Embedding(vocab_size", "self.e = nn.Embedding(11")
    made = specimen(tmp_path, text + indented(FORMS["plain"][0]).replace("self.run", "self.run"))
    assert int(made.make_inputs(8, 8, 0)["idx"].max()) < 11


def test_ids_are_distinct_while_there_are_enough(tmp_path: Path) -> None:
    """A causal model cannot learn two continuations of one prefix."""
    generator = torch.Generator().manual_seed(0)
    few = distinct_ids((2, 12), 97, generator)
    assert few.unique().numel() == 24
    assert int(few.min()) >= 1
    many = distinct_ids((20, 12), 97, generator)
    assert many[:, 0].unique().numel() == 20
    assert int(many.max()) < 97


def test_equal_seeds_give_equal_inputs(tmp_path: Path) -> None:
    """And other seeds others."""
    made = specimen(tmp_path, HEAD + indented(FORMS["pooled-image"][0]))
    one, same, other = (made.make_inputs(3, 7, seed) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("batch", "length", "frames"), [(3, 7, 5), (5, 5, 2), (5, 2, 13)])
def test_a_picture_has_as_many_parts_as_neither_batch_nor_text(
    batch: int, length: int, frames: int
) -> None:
    """So that dimensions cannot agree by chance."""
    assert Form(shape=("B", "N", 37)).sizes(batch, length) == (batch, frames, 37)


def test_a_mapping_as_only_input_is_not_taken_for_ids(tmp_path: Path) -> None:
    """The tool says that it does not know, rather than that the model crashed."""
    text = HEAD + (
        "    def forward(self, batch):\n"
        "        return self.run(self.e(next(iter(batch.values()))))\n"
    )
    construction, _ = build(tmp_path, text)
    assert (construction.outcome, construction.crash) == ("not-built", None)


def test_each_embedding_tells_how_many_ids_it_knows(tmp_path: Path) -> None:
    """An encoder and a decoder need not share a vocabulary."""
    text = HEAD.replace("self.mix =", "self.other = nn.Embedding(5, n_embd)\n        self.mix =")
    body = (
        "def forward(self, src, tgt):\n"
        " return self.run(self.e(tgt) + self.other(src).mean(1, keepdim=True))"
    )
    made = specimen(tmp_path, text + indented(body))
    inputs = made.make_inputs(8, 8, 0)
    assert int(inputs["src"].max()) < 5
    assert int(inputs["tgt"].max()) > 5


def test_the_batch_dimension_of_each_input_is_known(tmp_path: Path) -> None:
    """Rows can be exchanged one at a time, wherever an input keeps them."""
    plain = specimen(tmp_path, HEAD + indented(FORMS["pooled-image"][0]))
    assert plain.batch_dimensions == {"ids": 0, "image": 0}
    text = (
        HEAD
        + "    def forward(self, src):\n        return self.out(self.columns(self.e(src))[0])\n"
    )
    assert specimen(tmp_path, text).batch_dimensions == {"src": 1}
